import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, expect, test } from 'vitest';
import { reportProgress } from '../src/jobs/progress.ts';
import type { ClaimedJob } from '../src/jobs/transitions.ts';

const written: number[] = [];
const rung: string[][] = [];
const app = {
  sql: { $executeRaw: async (_text: unknown, percent: number) => written.push(percent) && 1 },
  events: { publish: async (...topics: string[]) => void rung.push(topics), publishOften: (topic: string) => void rung.push([topic]) },
};
const report = () => reportProgress(app as never, { id: 'a', ownerId: 'b', attempt: 1 } as ClaimedJob, () => expect.unreachable());
beforeEach(() => void (written.length = rung.length = 0));

test('work that is over in a moment writes no progress', async () => {
  const progress = report();
  progress.report(10, 'decoding');
  progress.report(80, 'describing');
  await progress.end();
  await sleep(400);
  expect(written).toEqual([]);
});

test('of what lasts longer the newest is written, a few times a second, and each row is rung for', async () => {
  const progress = report();
  const startedAt = performance.now();
  let percent = 0;
  for (; performance.now() < startedAt + 900; await sleep(5)) progress.report(++percent, 'painting');
  await progress.end();
  const tookMs = performance.now() - startedAt;
  expect(written.length).toBeGreaterThan(1);
  expect(written.length).toBeLessThanOrEqual(tookMs / 250);
  expect(written[0]).toBeGreaterThan(1);
  expect(written).toEqual(written.toSorted((a, b) => a - b));
  expect(rung).toEqual(written.flatMap(() => [['viewer:b'], ['job:a']]));
});
