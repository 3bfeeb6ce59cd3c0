import { Redis } from 'ioredis';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { answer } from './side.js';

/** A subscriber to Redis with nothing behind it; tells when it heard what was said, in milliseconds of the clock that all processes of a machine share. */
const subscriber = new Redis(process.env.REDIS_URL);
let heardAt = [];
subscriber.on('message', () => heardAt.push(Number(process.hrtime.bigint()) / 1e6));
await subscriber.subscribe('bare');
answer(async ({ events }) => {
  while (heardAt.length < events) await sleep(5);
  const times = heardAt;
  heardAt = [];
  return times;
});
