import { randomUUID } from 'node:crypto';
import type { Log } from './log.ts';
import type { RedisConnections } from './redis.ts';

/** So many at a time: whoever has a seat keeps it until he lets it go. Every sibling passes `test/e2e/limits.test.ts`. */
export interface Seats {
  /** Takes a seat where fewer than `most` are taken; gives what lets it go, which may be called twice. `null`: all are taken. */
  take(key: string, most: number): Promise<(() => void) | null>;
  taken(key: string): Promise<number>;
  close(): Promise<void>;
}

/** Counts inside this process. */
export function memorySeats(): Seats {
  const { add, countOf } = ownSeats();
  return {
    take: async (key, most) => (countOf(key) < most ? add(key).letGo : null),
    taken: async (key) => countOf(key),
    async close() {},
  };
}

function ownSeats() {
  const seats = new Map<string, Set<string>>();
  return {
    seats,
    countOf: (key: string) => seats.get(key)?.size ?? 0,
    add(key: string) {
      const id = randomUUID();
      const own = seats.get(key) ?? new Set();
      seats.set(key, own.add(id));
      const letGo = () => {
        own.delete(id);
        if (own.size === 0 && seats.get(key) === own) seats.delete(key);
      };
      return { id, letGo };
    },
  };
}

/** A process that dies keeps its seats for so long. */
const leaseMs = 60_000;

/** Takes or keeps a seat in a sorted set whose scores are the ends of the leases, by the clock of Redis. */
const takeScript = `
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
  if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) and not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
  redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  return 1`;
const countScript = `
  local time = redis.call('TIME')
  return redis.call('ZCOUNT', KEYS[1], time[1] * 1000 + math.floor(time[2] / 1000), '+inf')`;

/** Counts in Redis, for all processes together; each process by itself while Redis does not answer. */
export function redisSeats(redis: RedisConnections, prefix: string, log: Log): Seats {
  const keyOf = (key: string) => `${prefix}:seats:${key}`;
  const own = ownSeats();
  const sit = (key: string, id: string, most: number) => redis.ask((commands) => commands.eval(takeScript, 1, keyOf(key), id, most, leaseMs));
  const complain = (error: Error) => log.debug({ reason: error.message }, 'Redis does not count subscriptions; this process counts its own');

  const renewal = setInterval(() => {
    // What was taken while Redis was away, or forgotten by it, is there from now on.
    for (const [key, ids] of own.seats) for (const id of ids) sit(key, id, 1e9).catch(complain);
  }, leaseMs / 3);
  renewal.unref();

  return {
    async take(key, most) {
      if (own.countOf(key) >= most) return null;
      const { id, letGo } = own.add(key);
      const isSeated = await sit(key, id, most).then((answer) => answer === 1, (error: Error) => (complain(error), true));
      if (!isSeated) letGo();
      return isSeated
        ? () => {
            letGo();
            redis.ask((commands) => commands.zrem(keyOf(key), id)).catch(complain);
          }
        : null;
    },
    taken: (key) => redis.ask((commands) => commands.eval(countScript, 1, keyOf(key)) as Promise<number>).catch(() => own.countOf(key)),
    async close() {
      clearInterval(renewal);
      await Promise.all([...own.seats].map(([key, ids]) => redis.ask((commands) => commands.zrem(keyOf(key), ...ids)).catch(complain)));
    },
  };
}
