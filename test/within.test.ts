import { stat } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { within } from '../src/within.ts';

test('what takes too long is late', async () => {
  await expect(within(new Promise(() => {}), 5, () => new Error('late'))).rejects.toThrow('late');
});

test('an answer that came while this process was busy is in time', async () => {
  await new Promise(setImmediate); // the next thing that the loop does is to look at its timers
  const answer = within(stat('.'), 5, () => new Error('late'));
  for (const end = Date.now() + 100; Date.now() < end; );
  expect((await answer).isDirectory()).toBe(true);
});
