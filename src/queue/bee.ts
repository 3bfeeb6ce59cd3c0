import { createRequire } from 'node:module';
import Bee from 'bee-queue';
import type { Log } from '../log.ts';
import type { Redis, RedisConnections } from '../redis.ts';
import type { Nudge, Queue } from './queue.ts';

/** Half a lease: what a killed worker had heard and not begun is heard again by another within twice this. */
const stallIntervalMs = 15_000;
const stallCheckMs = 5_000;
const longestRetryDelayMs = 1_000;

/** What Bee-Queue 2.0.0 does not type, and we have to mend. */
interface Insides {
  _evalScript(...args: unknown[]): Promise<unknown>;
  _doStalledJobCheck(): Promise<number>;
  _redisFailureRetryDelay: number;
}
const scripts: { buildCache(client: Redis): Promise<unknown> } = createRequire(import.meta.url)('bee-queue/lib/lua');

/** A queue in Redis. Of Bee-Queue only the doorbell is used; retries, delays, results and events live in the database. */
export async function beeQueue(redis: RedisConnections, prefix: string, log: Log): Promise<Queue> {
  const bee = new Bee<Nudge>('nudges', {
    prefix,
    redis: redis.commands,
    quitCommandClient: false,
    stallInterval: stallIntervalMs,
    getEvents: false,
    sendEvents: false,
    storeJobs: false,
    removeOnSuccess: true,
    removeOnFailure: true,
  });
  bee.on('error', (error) => {
    // An outage is said once, where the connection is.
    if (redis.isUp()) log.warn({ reason: error.message }, 'The queue in Redis reported a fault');
  });
  mend(bee as Bee<Nudge> & Insides, redis);
  await bee.ready();

  return {
    async ring(nudge) {
      await redis.ask(() => bee.createJob(nudge).setId(`${nudge.jobId}:${nudge.attempt}`).save());
    },
    work(handler, concurrency) {
      bee.process(concurrency, async ({ data: nudge }) => {
        await handler(nudge).catch((error: unknown) => log.error({ err: error, jobId: nudge.jobId }, 'The handler of a nudge broke its promise never to reject'));
      });
      void bee.checkStalledJobs(stallCheckMs);
    },
    depth: () => redis.ask((commands) => commands.llen(`${prefix}:nudges:waiting`)),
    async close(timeoutMs) {
      await bee.close(Math.max(1, timeoutMs)).catch((error: Error) => log.debug({ reason: error.message }, 'The queue let go of handlers that still run'));
    },
  };
}

/** Three faults of Bee-Queue 2.0.0 that would leave a process deaf until it is restarted. */
function mend(bee: Bee<Nudge> & Insides, { commands }: RedisConnections): void {
  // 1. A restarted Redis has forgotten the Lua scripts, which were loaded once at the start (issues 147, 489).
  const evaluate = bee._evalScript.bind(bee);
  bee._evalScript = async (...args) => {
    try {
      return await evaluate(...args);
    } catch (error) {
      if (!(error instanceof Error && error.message.includes('NOSCRIPT'))) throw error;
      await scripts.buildCache(commands);
      return evaluate(...args);
    }
  };

  // 2. The work starts only after the first check for stalled nudges; were that to fail, it would never start.
  const check = bee._doStalledJobCheck.bind(bee);
  bee._doStalledJobCheck = () => check().catch((error: unknown) => (bee.emit('error', error), 0));

  // 3. All loops that listen double one shared delay at every fault, without a limit: with 20 of them the last sleeps for days.
  let retryDelayMs = 0;
  Object.defineProperty(bee, '_redisFailureRetryDelay', {
    get: () => retryDelayMs,
    set: (delayMs: number) => (retryDelayMs = Math.min(delayMs, longestRetryDelayMs)),
  });
}
