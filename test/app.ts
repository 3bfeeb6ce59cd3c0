import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import { Client as PostgresClient } from 'pg';
import { expect, inject } from 'vitest';
import type { OwnParts } from '../src/app.ts';
import { readConfig } from '../src/config.ts';
import { startDarkroom, type Darkroom } from '../src/darkroom.ts';
import { createLog, type Log } from '../src/log.ts';
import { createTestClient, type TestClient } from './client.ts';
import { faultsOfHistory } from './fixtures/history.ts';
import { copyTemplate } from './setup/embedded.ts';

const secret = 'a secret that only the tests know, and long enough';

export interface TestApp extends Darkroom {
  url: string;
  /** A client of a viewer of its own: what one test does, no other sees. */
  client(viewer?: string): Promise<TestClient>;
  token(viewer: string, options?: { expiresInSeconds?: number }): Promise<string>;
  /** Stops without removing the data, and starts again on it. */
  restart(): Promise<void>;
}

/** The real app on a free port, the way this test project runs it. Stop it with `stop`. */
export async function startTestApp(overrides: Record<string, string> = {}, { log, ...parts }: OwnParts & { log?: Log } = {}): Promise<TestApp> {
  const dataDir = await mkdtemp(join(tmpdir(), 'darkroom-test-'));
  const template = inject('template');
  if (template) await copyTemplate(template, dataDir);
  const environment = {
    DATA_DIR: dataDir,
    PORT: '0',
    JWT_SECRET: secret,
    LOG_LEVEL: process.env.TEST_LOG_LEVEL ?? 'silent',
    JOB_RETRY_DELAY: '50ms',
    // Tests ask as often as it takes; what limits do is in limits.test.ts.
    LIMIT_REQUESTS: 'none',
    LIMIT_COST: 'none',
    REDIS_PREFIX: `test-${randomUUID()}`,
    ...inject('settings'),
    ...(await newDatabase()),
    ...overrides,
  };
  const start = () => startDarkroom(readConfig(environment), log ?? createLog(environment.LOG_LEVEL), parts);
  let darkroom = await start();
  const token = (viewer: string, { expiresInSeconds = 600 } = {}) =>
    new SignJWT({}).setProtectedHeader({ alg: 'HS256' }).setSubject(viewer).setIssuedAt().setExpirationTime(Math.floor(Date.now() / 1000) + expiresInSeconds).sign(new TextEncoder().encode(secret));
  return {
    get app() {
      return darkroom.app;
    },
    get url() {
      return darkroom.url!;
    },
    token,
    client: async (viewer = randomUUID()) => createTestClient(darkroom.url!, await token(viewer), viewer),
    async restart() {
      await darkroom.stop();
      darkroom = await start();
    },
    async stop() {
      // Whatever a suite did, the history of its jobs must be whole.
      expect(await faultsOfHistory(darkroom.app.db)).toEqual([]);
      await darkroom.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** The settings of an empty database of its own; none where the database is in DATA_DIR. */
export async function newDatabase(): Promise<Record<string, string>> {
  const server = inject('postgresUrl');
  if (!server) return {};
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  const admin = new PostgresClient({ connectionString: server });
  await admin.connect();
  await admin.query(`create database ${name}`);
  await admin.end();
  const url = new URL(server);
  url.pathname = `/${name}`;
  return { DATABASE_URL: url.href };
}
