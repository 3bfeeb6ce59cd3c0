import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import process from 'node:process';
import pg from 'pg';
import { answer } from './side.js';
import { timeOf } from './in-flight.js';

const connection = () => new Redis(process.env.REDIS_URL, { maxRetriesPerRequest: null });
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 });
await pool.query('create table if not exists bull_job (id bigserial primary key, status text not null)');
const queue = new Queue('nothing', { connection: connection() });
let done = 0;
new Worker('nothing', async (job) => {
  await pool.query(`update bull_job set status = 'COMPLETED' where id = $1`, [job.data.id]);
  done++;
}, { connection: connection(), concurrency: 20, removeOnComplete: { count: 0 } });

answer(({ jobs }) => {
  done = 0;
  const start = async () => {
    const { rows } = await pool.query(`insert into bull_job (status) values ('PENDING') returning id`);
    await queue.add('nothing', { id: rows[0].id });
  };
  return timeOf(jobs, start, () => done === jobs);
});
