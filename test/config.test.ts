import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ConfigError, readConfig, settings } from '../src/config.ts';
import { startDarkroom } from '../src/darkroom.ts';
import { failureCodes, failureHints, ProviderError, UserError } from '../src/errors.ts';
import { toFailure } from '../src/jobs/failure.ts';
import { createLog } from '../src/log.ts';
import { timeoutsOf } from '../src/operations/index.ts';

const problem = (environment: Record<string, string>): string => {
  try {
    readConfig(environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return 'no problem';
};

test('nothing has to be set', () => {
  expect(readConfig({})).toMatchObject({ HOST: '127.0.0.1', PORT: 4000, PUBLIC_URL: 'http://localhost:4000', ROLE: 'all', UPLOAD_MAX_BYTES: 25_000_000, DB_STATEMENT_TIMEOUT: 30_000 });
});

test('an empty variable is an absent one, and unknown variables do not matter', () => {
  expect(readConfig({ PORT: '', HOME: '/root', PATH: 'x' }).PORT).toBe(4000);
});

test('a wrong start lists everything that is wrong at once, with what came', () => {
  const message = problem({ UPLOAD_MAX_BYTES: '25 potatoes', ROLE: 'boss', PORT: 'http', DATABASE_URL: 'nowhere' });
  for (const name of ['UPLOAD_MAX_BYTES', '25 potatoes', 'ROLE', 'PORT', 'DATABASE_URL']) expect(message).toContain(name);
});

test('a combination that would lose data or let strangers in refuses to start', () => {
  expect(problem({ HOST: '0.0.0.0' })).toMatch(/HOST=0\.0\.0\.0 needs JWT_SECRET, JWT_JWKS_URL or API_KEYS/);
  expect(problem({ HOST: '0.0.0.0', JWT_JWKS_URL: 'https://issuer.example/jwks.json', JWT_AUDIENCE: 'authenticated' })).toBe('no problem');
  expect(problem({ JWT_JWKS_URL: 'https://issuer.example/jwks.json' })).toMatch(/JWT_JWKS_URL needs JWT_AUDIENCE or JWT_ISSUER/);
  expect(problem({ ROLE: 'worker' })).toMatch(/needs DATABASE_URL[\s\S]*needs REDIS_URL/);
  expect(problem({ JWT_SECRET: 'short' })).toMatch(/at least 32 characters/);
  expect(problem({ JOB_TIMEOUT: '10m' })).toMatch(/JOB_HARD_TIMEOUT must be longer/);
  expect(problem({ JOB_CONCURRENCY: '0' })).toMatch(/at least 1/);
  expect(problem({ GRAPHIQL: 'true', GRAPHQL_INTROSPECTION: 'false', PERSISTED_OPERATIONS: 'x.json' })).toMatch(/needs GRAPHQL_INTROSPECTION[\s\S]*do not go together/);
  expect(problem({ TRUSTED_PROXIES: '10.0.0.0/8, proxy.local, 10.0.0.1/33' })).toMatch(/"proxy\.local"[\s\S]*"10\.0\.0\.1\/33"/);
});

test('the schema is described, and GraphiQL served, on loopback only unless it is said', () => {
  const open = { HOST: '0.0.0.0', JWT_SECRET: 'kP3v-8sQm2_Lr7Tz0aXw-Yc5Hd9Gf1Bn' };
  expect(readConfig({})).toMatchObject({ GRAPHQL_INTROSPECTION: true, GRAPHIQL: true });
  expect(readConfig(open)).toMatchObject({ GRAPHQL_INTROSPECTION: false, GRAPHIQL: false });
  expect(readConfig({ ...open, GRAPHQL_INTROSPECTION: 'true' })).toMatchObject({ GRAPHQL_INTROSPECTION: true, GRAPHIQL: true });
  expect(readConfig({ PERSISTED_OPERATIONS: 'x.json' })).toMatchObject({ GRAPHIQL: false });
});

test('a limit is a number or none', () => {
  expect(readConfig({ LIMIT_REQUESTS: 'none', LIMIT_STORED_BYTES: '0', LIMIT_JOBS: '5' })).toMatchObject({ LIMIT_REQUESTS: 0, LIMIT_STORED_BYTES: 0, LIMIT_JOBS: 5 });
  expect(problem({ LIMIT_REQUESTS: 'many', LIMIT_STORED_BYTES: '5' })).toMatch(/or "none"[\s\S]*with a unit \(B, KB, MB, GB\) or "none" but received "5"/);
});

test('a secret that could be known or guessed refuses to start where others can reach the server, and the sentence does not tell it', () => {
  const weak = { JWT_SECRET: 'super-secret-jwt-token-with-at-least-32-characters-long', SIGNING_SECRET: 'password'.repeat(5), API_KEYS: `ci:${'0123456789abcdef'.repeat(2)}` };
  expect(problem(weak)).toBe('no problem');
  for (const place of [{ NODE_ENV: 'production' }, { HOST: '0.0.0.0' }] as Record<string, string>[]) {
    const message = problem({ ...weak, ...place });
    expect(message).toMatch(/JWT_SECRET is no secret: it looks like one from a manual.*openssl rand -hex 32[\s\S]*SIGNING_SECRET is no secret: it repeats itself[\s\S]*The secret of ci in API_KEYS is no secret/);
    for (const secret of ['super-secret', 'passwordpassword', '0123456789']) expect(message).not.toContain(secret);
    const random = () => randomBytes(32).toString('hex');
    for (let i = 0; i < 100; i += 1) expect(problem({ ...place, JWT_SECRET: random(), SIGNING_SECRET: randomBytes(24).toString('base64url'), API_KEYS: `ci:${random()}` })).toBe('no problem');
  }
});

test('keys of the settings have a name, a secret and scopes, and what is wrong with one is told without it', () => {
  const secret = randomBytes(20).toString('hex');
  expect(readConfig({ API_KEYS: `ci:${secret}:images:write jobs:write, desk:${secret.toUpperCase()}:admin` }).API_KEYS).toEqual([
    { name: 'ci', secret, scopes: ['images:write', 'jobs:write'] }, { name: 'desk', secret: secret.toUpperCase(), scopes: ['admin'] },
  ]);
  expect(readConfig({ API_KEYS: `ci:${secret}` }).API_KEYS[0]!.scopes).not.toContain('admin');
  for (const [wrong, words] of [[secret, 'NAME:SECRET'], [`ci:short`, '32 to 200'], [`ci:${secret}:images:paint`, 'scopes separated by spaces'], [`ci:${secret}, ci:${secret}x`, 'a name of its own']] as const) {
    expect(problem({ API_KEYS: wrong })).toContain(words);
    expect(problem({ API_KEYS: wrong })).not.toContain(secret);
  }
});

test('sizes and durations come with a unit', () => {
  expect(readConfig({ UPLOAD_MAX_BYTES: '1.5 MB', JOB_LEASE: '500ms' })).toMatchObject({ UPLOAD_MAX_BYTES: 1_500_000, JOB_LEASE: 500 });
  expect(problem({ UPLOAD_MAX_BYTES: '100' })).toMatch(/with a unit/);
});

test('an allowed host is a host and perhaps a port', () => {
  expect(readConfig({ OUTWARD_ALLOWED_HOSTS: 'files.internal, 10.0.0.7:9000' }).OUTWARD_ALLOWED_HOSTS).toEqual(['files.internal', '10.0.0.7:9000']);
  for (const wrong of ['http://files.internal', 'a/b', '*:*', 'me@files.internal']) expect(problem({ OUTWARD_ALLOWED_HOSTS: wrong }), wrong).toMatch(/OUTWARD_ALLOWED_HOSTS: Expected hosts/);
});

test('a model that is named and is no file that can be read refuses to start', () => {
  expect(readConfig({ U2NET_MODEL_PATH: 'package.json' }).U2NET_MODEL_PATH).toBe('package.json');
  for (const path of ['/nowhere/u2net.onnx', 'src']) expect(problem({ U2NET_MODEL_PATH: path })).toContain(`U2NET_MODEL_PATH: Expected a file that can be read but received "${path}"`);
});

test('time-outs of single operations are pairs, of operations that there are', async () => {
  const config = readConfig({ JOB_TIMEOUTS: 'analyze=90s, remove-background = 10m' });
  expect(config.JOB_TIMEOUTS).toEqual({ analyze: 90_000, 'remove-background': 600_000 });
  expect([timeoutsOf('analyze', config), timeoutsOf('unheard-of', config)]).toEqual([{ softMs: 90_000, hardMs: 150_000 }, { softMs: 240_000, hardMs: 300_000 }]);
  for (const text of ['analyze', '=4m', 'analyze=soon', 'analyze=4m=5m']) expect(problem({ JOB_TIMEOUTS: text }), text).toMatch(/Expected NAME=DURATION/);
  await expect(startDarkroom(readConfig({ JOB_TIMEOUTS: 'analyse=4m' }), createLog('silent'))).rejects.toThrow(/JOB_TIMEOUTS: Expected names of analyze,.* but received analyse/);
});

test('every failure of work has a hint', () => {
  expect(Object.keys(failureHints)).toEqual(Object.keys(failureCodes));
  expect(toFailure(new ProviderError('PROVIDER_ERROR', 'It broke', { retryable: true }), 'id').hint).toBe(failureHints.PROVIDER_ERROR);
  expect(toFailure(new UserError('CORRUPT', 'It is broken'), 'id').hint).toBe(failureHints.CORRUPT);
});

test('every setting is described', () => {
  for (const [name, setting] of Object.entries(settings)) expect(setting.description, name).toMatch(/^[A-Z].*\.$/s);
});

test('what is printed from the code is not stale: schema.graphql, .env.example', () => {
  expect(() => execFileSync(process.execPath, ['--import', 'tsx', 'bin/generate.ts', '--check'], { stdio: 'pipe' })).not.toThrow();
  expect(readFileSync('.env.example', 'utf8')).toContain('UPLOAD_MAX_BYTES=25MB');
});
