import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { exportJWK, exportSPKI, generateKeyPair, SignJWT, type JWTPayload } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTokens, type TokenSettings } from '../src/access/tokens.ts';
import { createGuard } from '../src/http/guard.ts';
import { createHttp } from '../src/http/http.ts';
import { createOutward } from '../src/http/outward.ts';
import { createLog } from '../src/log.ts';
import { until } from './until.ts';

const JWT_SECRET = 'a secret that only the tests know, and long enough';
const defaults: TokenSettings = { JWT_SECRET: undefined, JWT_JWKS_URL: undefined, JWT_ISSUER: undefined, JWT_AUDIENCE: undefined, JWT_TYPE: undefined, JWT_CLOCK_TOLERANCE: 5_000, JWT_ROLE_CLAIM: 'app_metadata.role', JWT_ADMIN_ROLE: 'admin' };
const http = () => createHttp({ outward: createOutward(createGuard({ allowedHosts: [] })), outageMs: 1 });
const open = (settings: Partial<TokenSettings>, pace = { refreshMs: 600_000, cooldownMs: 0 }) => createTokens({ ...defaults, ...settings }, http(), createLog('silent'), pace)!;

const now = () => Math.floor(Date.now() / 1_000);
const hs256 = (payload: JWTPayload = {}, header = {}) => new SignJWT({ sub: 'anna', exp: now() + 600, ...payload }).setProtectedHeader({ alg: 'HS256', ...header }).sign(new TextEncoder().encode(JWT_SECRET));
const refused = (verify: (token: string) => Promise<unknown>, token: string) => verify(token).then(() => 'let in', (error: { code?: string; message: string }) => (error.code === 'UNAUTHENTICATED' ? error.message : `${error}`));
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** The issuer: publishes keys, or is out of order. */
const issuer = { keys: [] as object[], isDown: false, asked: 0, answer: undefined as string | undefined };
const server = createServer((_request, response) => {
  issuer.asked += 1;
  if (issuer.isDown) return void response.writeHead(500).end();
  response.writeHead(200, { 'content-type': 'application/json' }).end(issuer.answer ?? JSON.stringify({ keys: issuer.keys }));
});
let JWT_JWKS_URL: string;
async function newKey(kid: string, alg = 'RS256') {
  const { publicKey, privateKey } = await generateKeyPair(alg);
  const jwk = { ...(await exportJWK(publicKey)), kid, alg };
  const sign = (payload: JWTPayload = {}, header = {}) => new SignJWT({ sub: 'anna', exp: now() + 600, ...payload }).setProtectedHeader({ alg, kid, ...header }).sign(privateKey);
  return { jwk, sign, pem: await exportSPKI(publicKey) };
}
let rsa: Awaited<ReturnType<typeof newKey>>;
beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  JWT_JWKS_URL = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`;
  rsa = await newKey('one');
  issuer.keys = [rsa.jwk];
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

test('a token of Supabase works as it is, and the role that nobody can give themselves makes an admin', async () => {
  const verify = open({ JWT_SECRET, JWT_AUDIENCE: ['authenticated'] });
  const supabase = { sub: '5f0c4d6e-0000-4000-8000-000000000000', aud: 'authenticated', role: 'authenticated', iss: 'https://project.supabase.co/auth/v1', session_id: 'x', app_metadata: { provider: 'email' }, user_metadata: { role: 'admin' } };
  expect(await verify(await hs256(supabase))).toMatchObject({ id: supabase.sub, kind: 'USER', role: 'VIEWER', credential: 'token', expiresAt: expect.any(Date) });
  expect(await verify(await hs256({ ...supabase, app_metadata: { role: 'admin' } }))).toMatchObject({ role: 'ADMIN' });
  const lists = open({ JWT_SECRET, JWT_ROLE_CLAIM: 'https://app.example/roles', JWT_ADMIN_ROLE: 'owner' });
  expect(await lists(await hs256({ 'https://app.example/roles': ['editor', 'owner'] }))).toMatchObject({ role: 'ADMIN' });
  expect(await lists(await hs256({ 'https://app.example/roles': ['editor'], app_metadata: { role: 'admin' } }))).toMatchObject({ role: 'VIEWER' });
});

test('no token chooses its algorithm: none in any spelling, HS256 over a public key, another hash, keys where there is a secret', async () => {
  const secretOnly = open({ JWT_SECRET });
  const keysOnly = open({ JWT_JWKS_URL });
  const payload = { sub: 'eve', exp: now() + 600 };
  for (const alg of ['none', 'None', 'NONE', 'nOnE', '', undefined]) {
    for (const verify of [secretOnly, keysOnly, open({ JWT_SECRET, JWT_JWKS_URL })]) expect(await refused(verify, `${encode({ alg })}.${encode(payload)}.`), alg).toMatch(/^The token was refused/);
  }
  const overPublicKey = [rsa.pem, JSON.stringify(rsa.jwk)].map((key) => {
    const text = `${encode({ alg: 'HS256', kid: 'one' })}.${encode(payload)}`;
    return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`;
  });
  for (const token of overPublicKey) expect(await refused(keysOnly, token)).toMatch(/"alg".* not allowed/);
  expect(await refused(secretOnly, await rsa.sign())).toMatch(/"alg".* not allowed/);
  const hs512 = await new SignJWT(payload).setProtectedHeader({ alg: 'HS512' }).sign(new TextEncoder().encode(JWT_SECRET.repeat(2)));
  for (const verify of [secretOnly, keysOnly]) expect(await refused(verify, hs512)).toMatch(/"alg".* not allowed/);
  const both = open({ JWT_SECRET, JWT_JWKS_URL });
  expect([(await both(await hs256())).id, (await both(await rsa.sign())).id]).toEqual(['anna', 'anna']);
});

test('a signature that is missing, of another payload, or of a key the token brings along is none', async () => {
  const eve = await newKey('eve');
  for (const [verify, token] of [[open({ JWT_SECRET }), await hs256()], [open({ JWT_JWKS_URL }), await rsa.sign()]] as const) {
    const [header, , signature] = token.split('.');
    expect(await refused(verify, `${token.split('.').slice(0, 2).join('.')}.`)).toMatch(/signature verification failed/);
    expect(await refused(verify, `${header}.${encode({ sub: 'eve', exp: now() + 600 })}.${signature}`)).toMatch(/signature verification failed/);
    expect(await refused(verify, await eve.sign({}, { jwk: eve.jwk, kid: undefined }))).toMatch(/refused/);
  }
  expect(await refused(open({ JWT_JWKS_URL }), await eve.sign({}, { jwk: eve.jwk, kid: 'one' }))).toMatch(/signature verification failed/);
});

test('time, issuer, audience and type are asked, with what was expected; a clock may be off a little', async () => {
  const verify = open({ JWT_SECRET, JWT_ISSUER: 'https://issuer.example', JWT_AUDIENCE: ['darkroom', 'tests'], JWT_TYPE: 'at+jwt' });
  const good = { iss: 'https://issuer.example', aud: 'tests' };
  const typ = { typ: 'at+jwt' };
  expect((await verify(await hs256({ ...good, exp: now() - 2 }, typ))).id).toBe('anna');
  expect(await refused(verify, await hs256({ ...good, exp: now() - 60 }, typ))).toBe('The token has expired');
  expect(await refused(verify, await hs256({ ...good, nbf: now() + 60 }, typ))).toMatch(/"nbf"/);
  expect(await refused(verify, await hs256({ ...good, exp: undefined }, typ))).toMatch(/missing required "exp"/);
  expect(await refused(verify, await hs256({ ...good, sub: undefined }, typ))).toMatch(/missing required "sub"/);
  await expect(verify(await hs256({ ...good, iss: 'https://other.example' }, typ))).rejects.toMatchObject({ code: 'UNAUTHENTICATED', hint: 'Expected "iss" to be https://issuer.example' });
  await expect(verify(await hs256({ ...good, aud: ['others'] }, typ))).rejects.toMatchObject({ code: 'UNAUTHENTICATED', hint: 'Expected "aud" to be darkroom or tests' });
  expect(await refused(verify, await hs256({ ...good, nonce: 'of an ID token' }, { typ: 'JWT' }))).toMatch(/"typ"/);
  for (const sub of ['', 'x'.repeat(201), 'a\0b', 7]) expect(await refused(open({ JWT_SECRET }), await hs256({ sub } as JWTPayload))).toMatch(/"sub"/);
});

test('what is no token, or asks for an extension that nobody knows, is refused in a sentence', async () => {
  const verify = open({ JWT_SECRET, JWT_JWKS_URL });
  const text = `${encode({ alg: 'HS256', crit: ['hurry'], hurry: true })}.${encode({ sub: 'eve', exp: now() + 600 })}`;
  expect(await refused(verify, `${text}.${createHmac('sha256', JWT_SECRET).update(text).digest('base64url')}`)).toMatch(/"hurry" is not recognized/);
  for (const token of ['nonsense', 'a.b.c', '..', `${encode([])}.${encode({})}.x`, `${encode('x')}..`]) expect(await refused(verify, token), token).toMatch(/^(The token was refused|Expected a JWT or an API key)/);
});

test('keys are fetched once, and again when a token names one that is not known: the issuer may change them', async () => {
  const verify = open({ JWT_JWKS_URL });
  const before = issuer.asked;
  for (let i = 0; i < 5; i += 1) await verify(await rsa.sign());
  expect(issuer.asked - before).toBe(1);
  const es = await newKey('two', 'ES256');
  issuer.keys = [es.jwk];
  expect((await verify(await es.sign())).id).toBe('anna');
  expect(await refused(verify, await rsa.sign())).toMatch(/no applicable key/);
  issuer.keys = [rsa.jwk];

  const patient = open({ JWT_JWKS_URL }, { refreshMs: 600_000, cooldownMs: 600_000 });
  await patient(await rsa.sign());
  const asked = issuer.asked;
  const stranger = await newKey('nobody');
  for (let i = 0; i < 5; i += 1) expect(await refused(patient, await stranger.sign())).toMatch(/no applicable key/);
  expect(issuer.asked, 'strangers cannot make us ask').toBe(asked);
});

test('while the issuer is down the keys that are known stay good, and others wait with a sentence', async () => {
  const verify = open({ JWT_JWKS_URL }, { refreshMs: 0, cooldownMs: 0 });
  await verify(await rsa.sign());
  try {
    issuer.isDown = true;
    for (let i = 0; i < 10; i += 1) expect((await verify(await rsa.sign())).id).toBe('anna');
    const later = await newKey('later');
    for (const [who, token] of [[verify, await later.sign()], [open({ JWT_JWKS_URL }), await rsa.sign()]] as const) {
      await expect(who(token)).rejects.toMatchObject({ code: 'UNAUTHENTICATED', extensions: { http: { status: 503 } }, message: expect.stringMatching(/cannot be checked right now/) });
    }
    issuer.isDown = false;
    issuer.keys = [later.jwk];
    await until('the new key to be known', async () => (await refused(verify, await later.sign())) === 'let in');
    for (issuer.answer of ['<html>', '{"keys": 7}']) expect(await refused(open({ JWT_JWKS_URL }), await rsa.sign())).toMatch(/cannot be checked right now/);
  } finally {
    Object.assign(issuer, { isDown: false, answer: undefined, keys: [rsa.jwk] });
  }
});
