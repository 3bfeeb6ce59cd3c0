import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createCompute, type Compute } from './compute/pool.ts';
import { s3Settings, type Config } from './config.ts';
import { openDatabase, type Database } from './database/open.ts';
import type { PrismaClient } from './database/generated/client.ts';
import type { DirectSql } from './database/sql.ts';
import { createGuard } from './http/guard.ts';
import { createHttp, type Http } from './http/http.ts';
import { createOutward } from './http/outward.ts';
import { memoryEvents, redisEvents, type Events } from './events.ts';
import type { Log } from './log.ts';
import { beeQueue } from './queue/bee.ts';
import { memoryQueue } from './queue/memory.ts';
import type { Queue } from './queue/queue.ts';
import { memoryRates, redisRates, type Rates } from './rates.ts';
import { openRedis } from './redis.ts';
import { memorySeats, redisSeats, type Seats } from './seats.ts';
import { diskStorage } from './storage/disk.ts';
import { readSigningSecret, signPath, signPermanent } from './storage/signature.ts';
import type { S3Settings } from './storage/s3.ts';
import type { Storage } from './storage/storage.ts';

/** Everything the program has. Functions take it as their first argument and destructure what they need. */
export interface App {
  config: Config;
  log: Log;
  database: Database;
  db: PrismaClient;
  /** For statements that are written by hand and run often; Prisma's client costs four times as much. Never part of a transaction of that client. */
  sql: DirectSql;
  storage: Storage;
  queue: Queue;
  events: Events;
  rates: Rates;
  seats: Seats;
  compute: Compute;
  /** The URL of a path of this server, with a signature that its route verifies. */
  signUrl: (pathAndQuery: string) => string;
  /** The URL of something public, where CDNs are asked for it; its signature does not expire. */
  signPermanentUrl: (prefix: string, rest: string) => string;
  /** The URL of a path of this server, for whoever has a credential. */
  publicUrl: (path: string) => string;
  http: Http;
}

/** Parts that a host of Darkroom may bring along instead of ours. */
export interface OwnParts {
  /** The module whose `tasks` the compute children run. */
  tasksUrl?: string;
}

/** Opens what the settings ask for; when one thing cannot be opened, what was open before is closed again. `publicUrl` is where clients reach this server. */
export async function openApp(config: Config, log: Log, publicUrl: () => string, { tasksUrl }: OwnParts = {}): Promise<App & { close(): Promise<void> }> {
  const opened: (() => Promise<void>)[] = [];
  const close = async () => {
    for (let closeOne = opened.pop(); closeOne; closeOne = opened.pop()) {
      await closeOne().catch((error: unknown) => log.error({ err: error }, 'Something could not be closed'));
    }
  };
  const keep = <Thing extends { close(): Promise<void> }>(thing: Thing): Thing => {
    opened.push(() => thing.close());
    return thing;
  };
  try {
    await mkdir(config.DATA_DIR, { recursive: true });
    const secret = await readSigningSecret(config.DATA_DIR, config.SIGNING_SECRET);
    const database = keep(await openDatabase(config, log));
    const s3 = s3Settings(config);
    const storage = keep(s3 ? await openS3(s3, log) : await diskStorage({ root: join(config.DATA_DIR, 'objects'), publicUrl, secret }));
    const redis = config.REDIS_URL ? keep(await openRedis(config.REDIS_URL, log)) : null;
    const events = keep(redis ? redisEvents(redis, config.REDIS_PREFIX, log) : memoryEvents(log));
    const rates = redis ? redisRates(redis, config.REDIS_PREFIX, log) : memoryRates();
    const seats = keep(redis ? redisSeats(redis, config.REDIS_PREFIX, log) : memorySeats());
    const queue = redis ? await beeQueue(redis, config.REDIS_PREFIX, log) : memoryQueue(log);
    opened.push(() => queue.close(1_000));
    const compute = keep(createCompute({ processes: config.COMPUTE_PROCESSES, memoryLimitBytes: config.COMPUTE_MEMORY, log, tasksUrl }));
    const http = createHttp({ outward: createOutward(createGuard({ allowedHosts: config.OUTWARD_ALLOWED_HOSTS })) });
    const signUrl: App['signUrl'] = (pathAndQuery) => publicUrl() + signPath(secret, pathAndQuery);
    const signPermanentUrl: App['signPermanentUrl'] = (prefix, rest) => (config.CDN_BASE_URL ?? publicUrl()) + signPermanent(secret, prefix, rest);
    return { config, log, database, db: database.db, sql: database.sql, storage, queue, events, rates, seats, compute, signUrl, signPermanentUrl, publicUrl: (path) => publicUrl() + path, http, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The client takes a third of a second and 30 MB to load: only who has an object store pays for it. */
async function openS3(settings: S3Settings, log: Log): Promise<Storage> {
  const { s3Storage } = await import('./storage/s3.ts');
  return s3Storage(settings, log);
}
