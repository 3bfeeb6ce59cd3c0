import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';

/** Starts `count` pieces of work, a hundred at a time, and gives the milliseconds until all of them have ended. */
export async function timeOf(count, start, hasEnded) {
  const startedAt = performance.now();
  let next = 0;
  await Promise.all(Array.from({ length: Math.min(count, 100) }, async () => {
    while (next < count) await start(next++);
  }));
  while (!(await hasEnded())) await sleep(10);
  return performance.now() - startedAt;
}
