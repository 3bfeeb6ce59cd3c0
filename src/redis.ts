import { Redis as IORedis } from 'ioredis';
import type { Log } from './log.ts';
import { within } from './within.ts';

const answerMs = 1_000;

/** Bee-Queue knows a client by the name of its class, and an ioredis instance calls itself "EventEmitter": the name `Redis` matters. */
export class Redis extends IORedis {}

/** The connections of this process to one Redis: they come back by themselves after an outage. */
export interface RedisConnections {
  /** For commands. What is sent during an outage waits in memory until it is over: use `ask` for whatever can be dropped. */
  readonly commands: Redis;
  /** For SUBSCRIBE only. Fails at once during an outage, and subscribes to nothing again by itself. */
  readonly subscriber: Redis;
  /** Whether the last thing heard from Redis was good. While it is false, the log has said so. */
  isUp(): boolean;
  /** The answer to a command; rejects at once when Redis is down and after a second without an answer. */
  ask<T>(command: (commands: Redis) => Promise<T>): Promise<T>;
  /** Rejects, with the reason, when Redis does not answer. */
  check(): Promise<void>;
  close(): Promise<void>;
}

/** Opens the connections and waits until Redis answers; it may be starting at the same time as we are. */
export async function openRedis(url: string, log: Log, startMs = 10_000): Promise<RedisConnections> {
  const options = { maxRetriesPerRequest: null, retryStrategy: (times: number) => Math.min(50 * times, 1000), keepAlive: 10_000 };
  const commands = new Redis(url, options);
  // A SUBSCRIBE that waits in a queue is neither in force nor lost; whoever subscribes has to know which.
  const subscriber = new Redis(url, { ...options, maxRetriesPerRequest: 0, enableOfflineQueue: false, autoResubscribe: false });
  const clients = [commands, subscriber];
  const address = commands.options.path ?? `${commands.options.host}:${commands.options.port}`;

  let fault = '';
  let downSince: number | undefined;
  let closing = false;
  const isReady = () => clients.every((client) => client.status === 'ready');
  for (const client of clients) {
    client.on('error', (error: NodeJS.ErrnoException) => {
      // Only the text: the error object carries the failed command, and with AUTH the password.
      fault = error.message || error.code || error.name;
    });
    client.on('close', () => {
      if (downSince !== undefined || closing) return;
      downSince = Date.now();
      log.warn(`Redis at ${address} is out of reach${fault && `: ${fault}`}. Trying again until it is back`);
    });
    client.on('ready', () => {
      if (!isReady()) return;
      if (downSince !== undefined) log.info(`Redis at ${address} is back after ${Math.round((Date.now() - downSince) / 1000)} s`);
      downSince = undefined;
      fault = '';
    });
  }
  const disconnect = () => {
    closing = true;
    for (const client of clients) client.disconnect();
  };

  async function ask<T>(command: (commands: Redis) => Promise<T>): Promise<T> {
    if (commands.status !== 'ready') throw new Error(`Redis at ${address} is out of reach`);
    return within(command(commands), answerMs, () => new Error(`Expected Redis at ${address} to answer within ${answerMs} ms but it did not`));
  }

  const ready = clients.map((client) => new Promise<void>((resolve) => client.once('ready', resolve)));
  try {
    await within(Promise.all(ready), startMs, () => new Error(`Expected Redis at ${address} to answer within ${startMs / 1000} s but it did not${fault && ` (${fault})`}; check REDIS_URL and whether Redis runs there`));
  } catch (error) {
    disconnect();
    throw error;
  }

  return {
    commands,
    subscriber,
    isUp: () => downSince === undefined,
    ask,
    async check() {
      await ask((client) => client.ping());
    },
    async close() {
      closing = true;
      // What was sent just before the end still arrives; where Redis is down there is nobody to wait for.
      await ask((client) => client.quit()).catch(() => {});
      disconnect();
    },
  };
}
