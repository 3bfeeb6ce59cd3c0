import { createRemoteJWKSet, customFetch, decodeProtectedHeader, errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey } from 'jose';
import type { Config } from '../config.ts';
import { ProviderError, UserError } from '../errors.ts';
import type { Http } from '../http/http.ts';
import type { Log } from '../log.ts';
import { tokenViewer, type Viewer } from './viewer.ts';

/** A secret is for the one algorithm that uses secrets, published keys for those that use key pairs: no token chooses between them. */
const sharedAlgorithms = ['HS256'];
const pairAlgorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'];
const fetchTimeoutMs = 5_000;

export type TokenSettings = Pick<Config, 'JWT_SECRET' | 'JWT_JWKS_URL' | 'JWT_ISSUER' | 'JWT_AUDIENCE' | 'JWT_TYPE' | 'JWT_CLOCK_TOLERANCE' | 'JWT_ROLE_CLAIM' | 'JWT_ADMIN_ROLE'>;

/** Nothing is wrong with the token, as far as anybody can tell now. */
export class IssuerUnavailable extends UserError {
  constructor(cause: unknown) {
    super('UNAUTHENTICATED', 'The token cannot be checked right now: the keys of its issuer cannot be fetched. Try again in a moment', { status: 503, retryAfterMs: 5_000, cause });
  }
}

/** The viewer of a JWT, or UNAUTHENTICATED with what is wrong with it. Null where no setting says how tokens are signed. */
export function createTokens(config: TokenSettings, http: Pick<Http, 'call'>, log: Log, pace = { refreshMs: 600_000, cooldownMs: 30_000 }): ((token: string) => Promise<Viewer>) | null {
  const { JWT_SECRET, JWT_JWKS_URL } = config;
  if (!JWT_SECRET && !JWT_JWKS_URL) return null;
  const secret = JWT_SECRET ? new TextEncoder().encode(JWT_SECRET) : null;
  const keys = JWT_JWKS_URL ? publishedKeys(JWT_JWKS_URL, http, log, pace) : null;
  const claims = {
    issuer: config.JWT_ISSUER, audience: config.JWT_AUDIENCE, typ: config.JWT_TYPE,
    requiredClaims: ['sub', 'exp'], clockTolerance: config.JWT_CLOCK_TOLERANCE / 1_000,
  };

  return async (token) => {
    try {
      const { alg } = decodeProtectedHeader(token);
      const { payload } = keys && !(secret && alg && sharedAlgorithms.includes(alg))
        ? await jwtVerify(token, keys, { ...claims, algorithms: pairAlgorithms })
        : await jwtVerify(token, secret!, { ...claims, algorithms: sharedAlgorithms });
      if (typeof payload.sub !== 'string' || !/^[^\0]{1,200}$/s.test(payload.sub)) throw new UserError('UNAUTHENTICATED', 'Expected the claim "sub" to be 1 to 200 characters');
      return tokenViewer(payload.sub, { isAdmin: isAdmin(payload, config), expiresAt: new Date(payload.exp! * 1_000) });
    } catch (error) {
      throw refusalOf(error, claims);
    }
  };
}

/**
 * The keys that an issuer publishes, fetched when one is not known and looked after now and then. While the issuer cannot be
 * reached those that are known stay good: its outage locks nobody out.
 */
function publishedKeys(url: string, http: Pick<Http, 'call'>, log: Log, { refreshMs, cooldownMs }: { refreshMs: number; cooldownMs: number }): JWTVerifyGetKey {
  const account = { provider: 'The issuer of tokens', key: url, hint: 'Check JWT_JWKS_URL' };
  const published = createRemoteJWKSet(new URL(url), {
    cacheMaxAge: Infinity,
    cooldownDuration: cooldownMs,
    [customFetch]: async (address, { signal }) => {
      const { text } = await http.call(account, { url: address, method: 'GET', headers: { accept: 'application/json' }, signal, timeoutMs: fetchTimeoutMs });
      return new Response(text, { status: 200 });
    },
  });
  let lookedAt = Date.now();
  return (header, token) => {
    if (published.jwks() && Date.now() - lookedAt > refreshMs) {
      lookedAt = Date.now();
      published.reload().catch((error: unknown) => log.warn({ reason: String(error) }, 'The keys of the issuer of tokens could not be fetched again; those that are known stay good'));
    }
    return published(header, token);
  };
}

/** A claim that has the name as a whole (`https://app.example/roles`), or else by its path (`app_metadata.role`). */
function isAdmin(payload: JWTPayload, { JWT_ROLE_CLAIM, JWT_ADMIN_ROLE }: TokenSettings): boolean {
  const whole = Object.hasOwn(payload, JWT_ROLE_CLAIM) ? payload[JWT_ROLE_CLAIM] : undefined;
  const role = whole ?? JWT_ROLE_CLAIM.split('.').reduce<unknown>((at, name) => (at && typeof at === 'object' && Object.hasOwn(at, name) ? (at as Record<string, unknown>)[name] : undefined), payload);
  return Array.isArray(role) ? role.includes(JWT_ADMIN_ROLE) : role === JWT_ADMIN_ROLE;
}

function refusalOf(error: unknown, expected: { issuer?: string; audience?: string[]; typ?: string }): unknown {
  if (error instanceof errors.JWTExpired) return new UserError('UNAUTHENTICATED', 'The token has expired', { hint: 'Sign in again', cause: error });
  if (error instanceof ProviderError || isAboutKeys(error)) return new IssuerUnavailable(error);
  if (error instanceof errors.JWTClaimValidationFailed) {
    const wanted = { iss: expected.issuer, aud: expected.audience?.join(' or '), typ: expected.typ }[error.claim];
    return new UserError('UNAUTHENTICATED', `The token was refused: ${error.message}`, { hint: wanted && `Expected "${error.claim}" to be ${wanted}`, cause: error });
  }
  if (error instanceof errors.JOSEError) return new UserError('UNAUTHENTICATED', `The token was refused: ${error.message}`, { cause: error });
  // What cannot be taken apart at all.
  if (error instanceof TypeError) return new UserError('UNAUTHENTICATED', 'Expected a JWT or an API key but received neither', { cause: error });
  return error;
}

/** The answer of the issuer is at fault, not the token. */
const isAboutKeys = (error: unknown) => error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid || (error instanceof errors.JOSEError && error.code === errors.JOSEError.code);
