import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import pg from 'pg';
import { startPostgres } from '../services/postgres.ts';
import { startRedis } from '../services/redis.ts';
import { portOr, startDarkroomProcess, waitUntilReady, type DarkroomProcess } from './processes.ts';
import type { Screen } from './screen.ts';

export interface RunningDarkroom {
  url: string;
  token: string;
  /** JWT_SECRET of the processes. */
  secret: string;
  /** What runs, in a line. */
  description: string;
  /** Rejects when a process ends before it was told to. */
  ended: Promise<never>;
}

export interface DarkroomOptions {
  /** Data and logs. */
  folder: string;
  redis: boolean;
  postgres: boolean;
  /** Leaves what is kept outside of `folder` in place. */
  keep: boolean;
  environment: Record<string, string | undefined>;
  /** Called with what is to be ended, the latest first. */
  atEnd(end: () => Promise<unknown>): void;
}

/** Starts Darkroom as it is run in earnest: embedded in one process, or API and worker apart where there is a Postgres. */
export async function startDarkroomProcesses(screen: Screen, options: DarkroomOptions): Promise<RunningDarkroom> {
  const { folder, atEnd } = options;
  const database = await findDatabase(screen, options);
  const redis = await findRedis(screen, options, database !== undefined);
  const secret = randomBytes(32).toString('hex');
  const port = await portOr(4000);
  const settings = {
    HOST: '127.0.0.1', PORT: String(port), PUBLIC_URL: '', DATA_DIR: join(folder, 'data'), GRAPHIQL: 'true', JWT_SECRET: secret, SIGNING_SECRET: '',
    DATABASE_URL: database?.url ?? '', REDIS_URL: redis?.url ?? '', REDIS_PREFIX: `demo-${randomUUID()}`,
  };

  const roles = database ? ['api', 'worker'] : ['all'];
  const processes: DarkroomProcess[] = [];
  const start = (role: string) => {
    const started = startDarkroomProcess(folder, { ...settings, ROLE: role });
    processes.push(started);
    atEnd(() => started.stop());
    return started;
  };
  const url = `http://127.0.0.1:${port}`;
  // The API first: both would migrate an empty database.
  for (const role of roles) {
    const started = start(role);
    if (role !== 'worker') await Promise.race([waitUntilReady(url), started.ended]);
  }

  const pids = processes.map(({ pid }) => `pid ${pid}`);
  const parts = [
    database ? `API (${pids[0]}) and worker (${pids[1]})` : `API and worker in one process (${pids[0]})`,
    database?.description ?? 'PGlite', 'files on disk', redis ? `queue and events through ${redis.description}` : 'queue and events in the process',
  ];
  const ended = Promise.race(processes.map((one) => one.ended));
  ended.catch(() => {});
  return { url, token: await signToken(secret), secret, description: parts.join(' · '), ended };
}

interface Service {
  url: string;
  description: string;
}

async function findRedis(screen: Screen, { redis, environment, atEnd }: DarkroomOptions, isNeeded: boolean): Promise<Service | undefined> {
  const given = environment['REDIS_URL'];
  if (given && !redis) return { url: given, description: `Redis at ${new URL(given).host}` };
  if (!redis && !isNeeded) return undefined;
  screen.line('Starting a Redis of its own …');
  const server = await startRedis({ dir: await serviceFolder(atEnd) });
  atEnd(() => server.stop());
  return { url: server.url, description: `a Redis of its own (port ${server.port})` };
}

async function findDatabase(screen: Screen, { postgres, environment, keep, atEnd }: DarkroomOptions): Promise<Service | undefined> {
  const given = environment['DATABASE_URL'];
  if (postgres) {
    screen.line('Starting a Postgres of its own …');
    const server = await startPostgres({ dir: await serviceFolder(atEnd) });
    atEnd(() => server.stop());
    return { url: await server.createDatabase(), description: `a Postgres of its own (port ${new URL(server.url).port})` };
  }
  if (!given) return undefined;
  // The workers of whoever uses that database would take the demo's jobs, and the demo's worker theirs.
  const name = `darkroom_demo_${randomBytes(4).toString('hex')}`;
  await execute(given, `create database ${name}`).catch((cause: unknown) => {
    throw new Error(`Expected DATABASE_URL to let the demo create a database of its own but: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  });
  if (!keep) atEnd(() => execute(given, `drop database ${name} with (force)`));
  const url = new URL(given);
  url.pathname = `/${name}`;
  return { url: url.href, description: `Postgres at ${url.host}, database ${name}` };
}

async function execute(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query(sql);
  } finally {
    await client.end();
  }
}

/** Outside of the home folder: as root, Postgres runs as nobody. */
async function serviceFolder(atEnd: DarkroomOptions['atEnd']): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'darkroom-demo-'));
  atEnd(() => rm(folder, { recursive: true, force: true }));
  const inner = join(folder, 'files');
  await mkdir(inner);
  return inner;
}

const signToken = (secret: string) => new SignJWT({}).setProtectedHeader({ alg: 'HS256' }).setSubject('demo').setIssuedAt().setExpirationTime('12h').sign(new TextEncoder().encode(secret));
