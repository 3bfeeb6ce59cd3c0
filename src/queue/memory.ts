import type { Log } from '../log.ts';
import type { Nudge, Queue } from './queue.ts';

/** A queue inside this process; what waits is gone with the process, and the reconciler rings again. */
export function memoryQueue(log: Log): Queue {
  const waiting = new Map<string, Nudge>();
  const running = new Set<Promise<void>>();
  let worker: { handler: (nudge: Nudge) => Promise<void>; concurrency: number } | undefined;
  let closed = false;

  function hear() {
    for (const [id, nudge] of waiting) {
      if (!worker || running.size >= worker.concurrency) return;
      waiting.delete(id);
      const run = worker
        .handler(nudge)
        .catch((error: unknown) => log.error({ err: error, jobId: nudge.jobId }, 'The handler of a nudge broke its promise never to reject'))
        .finally(() => {
          running.delete(run);
          hear();
        });
      running.add(run);
    }
  }

  return {
    async ring(nudge) {
      if (closed) throw new Error('The queue is closed');
      waiting.set(`${nudge.jobId}:${nudge.attempt}`, nudge);
      // The work starts on its own turn, not inside the call of whoever rings.
      setImmediate(hear);
    },
    work(handler, concurrency) {
      worker = { handler, concurrency };
      hear();
    },
    async depth() {
      return waiting.size;
    },
    async close(timeoutMs) {
      closed = true;
      waiting.clear();
      let timer: NodeJS.Timeout | undefined;
      const timeout = new Promise<void>((resolve) => (timer = setTimeout(resolve, timeoutMs)));
      await Promise.race([Promise.all(running), timeout]);
      clearTimeout(timer);
    },
  };
}
