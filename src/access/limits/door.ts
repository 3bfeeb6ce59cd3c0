import type { App } from '../../app.ts';
import { UserError } from '../../errors.ts';
import { IssuerUnavailable } from '../tokens.ts';
import type { Viewer } from '../viewer.ts';

/** No token of ours or of an identity provider comes near it. */
const maxCredentialCharacters = 8_192;
/** Addresses that one process keeps in mind as refused; the oldest go first. */
const maxRefused = 10_000;

/** Counts wrong tokens by address, and refuses an address that sent too many before its next token is looked at. */
export function watchDoor({ config, rates }: App) {
  const budget = { name: 'wrong-tokens', points: config.LIMIT_WRONG_TOKENS, seconds: 60 };
  // Known here, so that a good token costs no look into the shared count.
  const refusedUntil = new Map<string, number>();

  function refuse(address: string): void {
    const remainingMs = (refusedUntil.get(address) ?? 0) - Date.now();
    if (remainingMs > 0) throw tooManyWrongTokens(remainingMs);
    refusedUntil.delete(address);
  }

  async function countWrong(address: string): Promise<void> {
    const { isEnough, resetMs } = await rates.take(budget, address, 1);
    if (isEnough) return;
    const [oldest] = refusedUntil.keys();
    if (refusedUntil.size >= maxRefused && oldest !== undefined) refusedUntil.delete(oldest);
    refusedUntil.set(address, Date.now() + resetMs);
    throw tooManyWrongTokens(resetMs);
  }

  return {
    /** Lets `authenticate` decide, unless the address was refused or the credential is none by its length. */
    async pass(address: string, credential: string | undefined, authenticate: () => Promise<Viewer>): Promise<Viewer> {
      refuse(address);
      try {
        if (credential && credential.length > maxCredentialCharacters) {
          throw new UserError('UNAUTHENTICATED', `Expected a credential of at most ${maxCredentialCharacters} characters but received ${credential.length}`);
        }
        return await authenticate();
      } catch (error) {
        const isWrong = error instanceof UserError && error.code === 'UNAUTHENTICATED' && !(error instanceof IssuerUnavailable) && credential !== undefined;
        if (isWrong && budget.points > 0) await countWrong(address);
        throw error;
      }
    },
  };
}

const tooManyWrongTokens = (retryAfterMs: number) =>
  new UserError('RATE_LIMITED', 'Too many wrong tokens came from this address', { retryAfterMs, hint: `Send a token that is good, in ${Math.max(1, Math.ceil(retryAfterMs / 1000))} s` });
