import { makeWorkerUtils, run, Logger } from 'graphile-worker';
import process from 'node:process';
import pg from 'pg';
import { answer } from './side.js';
import { timeOf } from './in-flight.js';

const pgPool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 });
const logger = new Logger(() => () => {});
const utils = await makeWorkerUtils({ pgPool, logger });
await utils.migrate();
let done = 0;
await run({ pgPool, logger, concurrency: 20, noHandleSignals: true, taskList: { nothing: async () => void done++ } });

answer(({ jobs }) => {
  done = 0;
  const isOpen = async () => (await pgPool.query('select 1 from graphile_worker.jobs limit 1')).rowCount > 0;
  return timeOf(jobs, (k) => utils.addJob('nothing', { k }), async () => done === jobs && !(await isOpen()));
});
