import { RateLimiterMemory, RateLimiterRedis, type RateLimiterAbstract, type RateLimiterRes } from 'rate-limiter-flexible';
import type { Log } from './log.ts';
import type { RedisConnections } from './redis.ts';

/** So many points in so many seconds, for each key of its own. The seconds begin with the first point that is taken, and at their end all points are back. */
export interface Budget {
  name: string;
  points: number;
  seconds: number;
}

export interface Balance {
  /** False: there were too few points, and none was taken. */
  isEnough: boolean;
  left: number;
  /** Until all points are back. */
  resetMs: number;
}

/** How much of a budget is left. Every sibling passes `test/e2e/limits.test.ts`. */
export interface Rates {
  /** Takes points. Never rejects for an outage: see the sibling. */
  take(budget: Budget, key: string, points: number): Promise<Balance>;
  /** Takes nothing, and tells how much is left. */
  look(budget: Budget, key: string): Promise<Balance>;
}

/** Counts inside this process; forgotten when it ends. */
export function memoryRates(): Rates {
  const limiterOf = limiters(({ points, seconds }) => new RateLimiterMemory({ points, duration: seconds }));
  return {
    take: (budget, key, points) => take(limiterOf(budget), budget, key, points),
    look: (budget, key) => look(limiterOf(budget), budget, key),
  };
}

/** A Redis that does not answer is left alone for this long, so that its silence does not slow every request. */
const pauseMs = 2_000;

/**
 * Counts in Redis, for all processes together. While Redis is down or silent each process counts by itself, from zero: nobody is
 * locked out, nobody has no limit at all, and with several processes a viewer may use up to that many times his share.
 */
export function redisRates(redis: RedisConnections, prefix: string, log: Log): Rates {
  const limiterOf = limiters(({ name, points, seconds }) => new RateLimiterRedis({ points, duration: seconds, storeClient: redis.commands, keyPrefix: `${prefix}:rate:${name}` }));
  const own = memoryRates();
  let awayUntil = 0;
  let isAway = false;

  async function counted(inRedis: () => Promise<Balance>, here: () => Promise<Balance>): Promise<Balance> {
    if (performance.now() < awayUntil) return here();
    try {
      const balance = await redis.ask(inRedis);
      if (isAway) log.info('Limits are counted in Redis again, for all processes together');
      isAway = false;
      return balance;
    } catch (error) {
      if (!isAway) log.warn({ reason: error instanceof Error ? error.message : String(error) }, 'Redis does not count: until it does, this process counts limits by itself');
      isAway = true;
      awayUntil = performance.now() + pauseMs;
      return here();
    }
  }

  return {
    take: (budget, key, points) => counted(() => take(limiterOf(budget), budget, key, points), () => own.take(budget, key, points)),
    look: (budget, key) => counted(() => look(limiterOf(budget), budget, key), () => own.look(budget, key)),
  };
}

/** One limiter for each budget, made when it is asked for first. */
function limiters(create: (budget: Budget) => RateLimiterAbstract): (budget: Budget) => RateLimiterAbstract {
  const known = new Map<string, RateLimiterAbstract>();
  return (budget) => {
    const key = `${budget.name} ${budget.points} ${budget.seconds}`;
    const limiter = known.get(key) ?? create(budget);
    known.set(key, limiter);
    return limiter;
  };
}

async function take(limiter: RateLimiterAbstract, budget: Budget, key: string, points: number): Promise<Balance> {
  const taken = balance(budget, await limiter.penalty(key, points));
  // What was refused costs nothing: else one query that is too large would use up what smaller ones still may take.
  return taken.isEnough ? taken : { ...balance(budget, await limiter.reward(key, points)), isEnough: false };
}

async function look(limiter: RateLimiterAbstract, budget: Budget, key: string): Promise<Balance> {
  const used = await limiter.get(key);
  return used ? balance(budget, used) : { isEnough: budget.points > 0, left: budget.points, resetMs: 0 };
}

const balance = ({ points }: Budget, { consumedPoints, msBeforeNext }: RateLimiterRes): Balance => ({
  isEnough: consumedPoints <= points,
  left: Math.max(0, points - consumedPoints),
  resetMs: Math.max(0, msBeforeNext),
});
