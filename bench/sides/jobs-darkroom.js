import { randomUUID } from 'node:crypto';
import process from 'node:process';
import { openApp } from '../../dist/app.js';
import { readConfig } from '../../dist/config.js';
import { startReconciler } from '../../dist/jobs/reconcile.js';
import { startJob } from '../../dist/jobs/start.js';
import { startWorker } from '../../dist/jobs/work.js';
import { createLog } from '../../dist/log.js';
import { operations } from '../../dist/operations/index.js';
import { answer } from './side.js';
import { timeOf } from './in-flight.js';

/** An operation that does nothing, so that only the life of a job is left. */
const anything = { parse: (value) => value, safeParse: (data) => ({ success: true, data }) };
let runs = 0;
const provider = { name: 'local', version: '1', unavailable: () => null, run: async () => { runs++; return { result: {} }; } };
const nothing = { name: 'nothing', title: 'Nothing', description: '', inputs: { kind: 'IMAGE', min: 0, max: 0 }, parameters: anything, result: anything, providers: [provider] };
operations.push(nothing);

const app = await openApp(readConfig(process.env), createLog('error'), () => 'http://127.0.0.1');
startReconciler(app);
startWorker(app);
const viewer = { id: 'local', kind: 'LOCAL' };

answer(async ({ jobs }) => {
  const batch = randomUUID();
  runs = 0;
  // The end of a job is its row; it is not looked for before there can be the last one.
  const isOpen = async () => (await app.sql.$queryRaw`select 1 as open from job where status in ('PENDING', 'PROCESSING') limit 1`).length > 0;
  const start = (k) => startJob(app, viewer, { operation: nothing, inputIds: [], parameters: { batch, k }, options: { useCache: false } });
  return timeOf(jobs, start, async () => runs >= jobs && !(await isOpen()));
});
