import { join } from 'node:path';
import { alternate, median, round, thousands, type Bench, type Row } from './figure.ts';
import { startSide } from './machine.ts';

const rounds = 3;
const jobs = 2_000;
/** Until the engine has compiled what each of them does. */
const warmUp = 3_000;

type Contender = 'darkroom' | 'pg-boss' | 'graphile-worker' | 'bullmq';

/** Jobs that do nothing, from the request to start them to their end. */
export async function figure({ folder, logFile, postgres, redis }: Bench): Promise<Row[]> {
  const server = await postgres();
  const environment = { REDIS_URL: (await redis()).url, DATA_DIR: join(folder, 'data'), JOB_CONCURRENCY: '20' };
  const start = async (name: Contender) => {
    const side = await startSide(`jobs-${name}`, { environment: { ...environment, DATABASE_URL: await server.createDatabase() }, logFile });
    await side.ask({ jobs: warmUp });
    return async () => (jobs * 1000) / (await side.ask<number>({ jobs }));
  };
  const results = await alternate(rounds, { darkroom: await start('darkroom'), 'pg-boss': await start('pg-boss'), 'graphile-worker': await start('graphile-worker'), bullmq: await start('bullmq') });
  const rate = (name: Contender) => median(results[name]);
  const row = (peer: 'pg-boss' | 'graphile-worker' | 'bullmq', asked: string, note: string): Row => ({
    what: `no-op jobs: ${peer}`, ours: `${thousands(rate('darkroom'))}/s`, beside: `${peer} ${thousands(rate(peer))}/s`, ratio: round(rate('darkroom') / rate(peer)),
    bar: asked, holds: asked ? rate('darkroom') > rate(peer) : null, note,
  });
  return [
    row('pg-boss', 'ahead', `From the start of ${thousands(jobs)} jobs, 100 in flight, after ${thousands(warmUp)} to warm up, until the last end is in the database, 20 at a time, in one process; the same Postgres without fsync for all. Darkroom: row, nudge through Redis, claim with lease, heartbeat, three event rows, their doorbells, fenced finish. ` +
      'The peer: send, fetch in batches of 50 by 20 workers at its shortest interval (0.5 s), complete; no status that a client could read, no events, no fencing.'),
    row('graphile-worker', 'ahead', 'The peer: addJob, LISTEN/NOTIFY, claim, and the delete that is its finish; nothing of the job is left, no events, no fencing.'),
    row('bullmq', '', 'The peer: one insert, queue.add, one update; the queue in Redis holds the truth.'),
  ];
}
