/** A nudge says "there may be work"; the row says what work. `attempt` makes the nudge of a later attempt a new one. */
export interface Nudge {
  jobId: string;
  attempt: number;
}

/**
 * A doorbell for workers. It may lose rings, repeat them and ring late: whoever hears it asks the database what to do,
 * and the reconciler rings again. Every sibling passes `test/queue.test.ts`.
 */
export interface Queue {
  /** Rings once; the same nudge while one is waiting is the same ring. Rejects quickly (1 s) when the bell is down; callers log that and go on. */
  ring(nudge: Nudge): Promise<void>;
  /** Calls `handler` for each ring heard, at most `concurrency` at a time. The handler never rejects. Called once. */
  work(handler: (nudge: Nudge) => Promise<void>, concurrency: number): void;
  /** Rings waiting to be heard. */
  depth(): Promise<number>;
  /** Stops listening at once, waits for running handlers up to `timeoutMs`, then lets go. */
  close(timeoutMs: number): Promise<void>;
}
