import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres, type PostgresServer } from '../bin/services/postgres.ts';
import { startRedis, type RedisServer } from '../bin/services/redis.ts';

/** One line of the table: our figure beside the peer's or the limit, and what was asked of it. */
export interface Row {
  what: string;
  ours: string;
  beside: string;
  ratio: string;
  bar: string;
  /** Null where nothing is asked: the line is for the reader. */
  holds: boolean | null;
  note?: string;
}

/** What figures share: a folder that goes at the end, and servers that start when they are first needed. */
export interface Bench {
  folder: string;
  logFile: string;
  postgres(): Promise<PostgresServer>;
  redis(): Promise<RedisServer>;
}
export type Figure = (bench: Bench) => Promise<Row[]>;

export async function openBench(): Promise<Bench & { close(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'darkroom-bench-'));
  let postgres: Promise<PostgresServer> | undefined;
  let redis: Promise<RedisServer> | undefined;
  return {
    folder,
    logFile: join(folder, 'processes.log'),
    postgres: () => (postgres ??= startPostgres({ dir: join(folder, 'postgres') })),
    redis: () => (redis ??= startRedis({ dir: join(folder, 'redis'), appendonly: true })),
    async close() {
      await (await postgres)?.stop();
      await (await redis)?.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}
export const median = (values: readonly number[]): number => quantile(values, 0.5);

/** Runs every contender once per round, in turn, and gives the rounds of each: what disturbs the machine disturbs all. */
export async function alternate<Name extends string, Result>(rounds: number, contenders: Record<Name, () => Promise<Result>>): Promise<Record<Name, Result[]>> {
  const names = Object.keys(contenders) as Name[];
  const results = Object.fromEntries(names.map((name) => [name, [] as Result[]])) as Record<Name, Result[]>;
  for (let round = 0; round < rounds; round++) {
    // Every other round backwards, so that nobody always runs behind the same neighbour.
    for (const name of round % 2 ? names.toReversed() : names) results[name].push(await contenders[name]());
  }
  return results;
}

export const round = (value: number, digits = 2): string => value.toFixed(digits);
export const thousands = (value: number): string => Math.round(value).toLocaleString('en');
