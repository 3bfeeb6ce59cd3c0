import { setTimeout as sleep } from 'node:timers/promises';

/** Waits until the check holds; after the deadline it fails with what was seen last. */
export async function until(what: string, check: () => unknown, deadlineMs = 10_000): Promise<void> {
  const end = Date.now() + deadlineMs;
  for (;;) {
    const seen = await check();
    if (seen === true) return;
    if (Date.now() > end) throw new Error(`Expected ${what} within ${deadlineMs} ms but the last look gave ${JSON.stringify(seen)}`);
    await sleep(10);
  }
}
