import type { Log } from '../log.ts';
import type { ClaimedJob } from './transitions.ts';

/** What one attempt at a job moves and uses. */
export interface Tally {
  inputBytes: number;
  outputBytes: number;
  peakMemoryBytes: number | null;
}

export const newTally = (): Tally => ({ inputBytes: 0, outputBytes: 0, peakMemoryBytes: null });

/** How an attempt ended, in a word, and why where it did not do its work. */
export interface AttemptEnd {
  status: string;
  failureCode?: string;
}

/** Times the attempt from now on. What it gives writes the one line that every attempt leaves in the log: ids, times and sizes, never a name, a prompt or an address. */
export function timeAttempt(log: Log, job: ClaimedJob) {
  const startedAt = performance.now();
  const queuedMs = Math.max(0, Date.now() - job.dueAt.getTime());
  return ({ status, failureCode }: AttemptEnd, { inputBytes, outputBytes, peakMemoryBytes }: Tally): void => {
    const processingMs = Math.round(performance.now() - startedAt);
    // Bytes out for each byte in: below 1 the job made less of it.
    const compressionRatio = inputBytes > 0 && outputBytes > 0 ? Number((outputBytes / inputBytes).toFixed(4)) : null;
    const line = { viewerId: job.ownerId, status, failureCode, queuedMs, processingMs, peakMemoryBytes, inputBytes, outputBytes, compressionRatio };
    log[failureCode ? 'warn' : 'info'](line, 'Attempt ended');
  };
}
