import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ConfigError, readConfig, settings } from '../src/config.ts';

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
  expect(problem({ HOST: '0.0.0.0' })).toMatch(/HOST=0\.0\.0\.0 needs JWT_SECRET/);
  expect(problem({ ROLE: 'worker' })).toMatch(/needs DATABASE_URL[\s\S]*needs REDIS_URL/);
  expect(problem({ JWT_SECRET: 'short' })).toMatch(/at least 32 characters/);
  expect(problem({ JOB_TIMEOUT: '10m' })).toMatch(/JOB_HARD_TIMEOUT must be longer/);
  expect(problem({ JOB_CONCURRENCY: '0' })).toMatch(/at least 1/);
});

test('sizes and durations come with a unit', () => {
  expect(readConfig({ UPLOAD_MAX_BYTES: '1.5 MB', JOB_LEASE: '500ms' })).toMatchObject({ UPLOAD_MAX_BYTES: 1_500_000, JOB_LEASE: 500 });
  expect(problem({ UPLOAD_MAX_BYTES: '100' })).toMatch(/with a unit/);
});

test('an allowed host is a host and perhaps a port', () => {
  expect(readConfig({ OUTWARD_ALLOWED_HOSTS: 'files.internal, 10.0.0.7:9000' }).OUTWARD_ALLOWED_HOSTS).toEqual(['files.internal', '10.0.0.7:9000']);
  for (const wrong of ['http://files.internal', 'a/b', '*:*', 'me@files.internal']) expect(problem({ OUTWARD_ALLOWED_HOSTS: wrong }), wrong).toMatch(/OUTWARD_ALLOWED_HOSTS: Expected hosts/);
});

test('every setting is described', () => {
  for (const [name, setting] of Object.entries(settings)) expect(setting.description, name).toMatch(/^[A-Z].*\.$/s);
});

test('what is printed from the code is not stale: schema.graphql, .env.example', () => {
  expect(() => execFileSync(process.execPath, ['--import', 'tsx', 'bin/generate.ts', '--check'], { stdio: 'pipe' })).not.toThrow();
  expect(readFileSync('.env.example', 'utf8')).toContain('UPLOAD_MAX_BYTES=25MB');
});
