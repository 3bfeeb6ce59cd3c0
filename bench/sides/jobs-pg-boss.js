import process from 'node:process';
import PgBoss from 'pg-boss';
import { answer } from './side.js';
import { timeOf } from './in-flight.js';

const boss = new PgBoss({ connectionString: process.env.DATABASE_URL, max: 10 });
await boss.start();
await boss.createQueue('nothing');
let done = 0;
// One worker asks every half second at the most often, so it gets the largest sensible batch and there are twenty of them.
for (let k = 0; k < 20; k++) await boss.work('nothing', { batchSize: 50, pollingIntervalSeconds: 0.5 }, async (jobs) => void (done += jobs.length));

answer(({ jobs }) => {
  done = 0;
  // Its rows are completed behind the back of whoever did the work.
  const isOpen = async () => (await boss.getQueueSize('nothing', { before: 'completed' })) > 0;
  return timeOf(jobs, (k) => boss.send('nothing', { k }), async () => done === jobs && !(await isOpen()));
});
