import { ProviderError } from '../errors.ts';
import type { Log } from '../log.ts';
import { type Child, type Run, startChild } from './child-process.ts';
import type { TaskList } from './messages.ts';
import type { tasks } from './tasks.ts';

export interface RunOptions {
  /** Aborting kills the child that is at work; a task that still waits never starts. */
  signal?: AbortSignal;
  /** Counts from the start of the task, not from its place in the queue. */
  timeoutMs: number;
  onProgress?: (percent: number, stage: string) => void;
}

/** Tasks run in child processes, first come first served, one at a time in each. A child is started when it is first needed, and kept. */
export interface Compute<List extends TaskList = typeof tasks> {
  /**
   * Rejects with the signal's reason; with `ProviderError` TIMED_OUT, OUT_OF_MEMORY or WORKER_LOST when the child was lost,
   * which costs this task and no other; or with what the task threw: a `UserError` or `ProviderError` is one on this side too.
   */
  run<Name extends keyof List & string>(
    name: Name,
    input: Parameters<List[Name]>[0],
    options: RunOptions,
  ): Promise<{ output: Awaited<ReturnType<List[Name]>>; peakRssBytes: number }>;
  /** Kills what runs, refuses what waits, and returns when no child is left. */
  close(): Promise<void>;
}

export interface ComputeOptions {
  processes: number;
  /** Resident memory at which a child is killed. */
  memoryLimitBytes: number;
  log: Log;
  /** The module whose `tasks` the children run. */
  tasksUrl?: string;
}

export function createCompute<List extends TaskList = typeof tasks>(options: ComputeOptions): Compute<List> {
  const { processes, memoryLimitBytes, log } = options;
  const tasksUrl = options.tasksUrl ?? new URL(import.meta.url.endsWith('.ts') ? './tasks.ts' : './tasks.js', import.meta.url).href;
  const waiting: Run[] = [];
  const children = new Set<Child>();
  let isClosed = false;

  function assign(): void {
    while (waiting.length > 0 && !isClosed) {
      const child = [...children].find(({ isIdle }) => isIdle) ?? (children.size < processes ? start() : null);
      const next = child && waiting.shift();
      if (!next) return;
      child.run(next);
    }
  }

  function start(): Child {
    const child = startChild({ tasksUrl, memoryLimitBytes, log, onChange: assign });
    children.add(child);
    // Its place is free when the process is gone, not before: there are never more processes than allowed.
    void child.gone.then(() => {
      children.delete(child);
      assign();
    });
    return child;
  }

  return {
    run(name, input, { signal, timeoutMs, onProgress }) {
      return new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        if (isClosed) return reject(closed());
        const abort = () => run.cancel(signal?.reason);
        const run: Run = {
          name,
          input,
          timeoutMs,
          onProgress,
          cancel(reason) {
            waiting.splice(waiting.indexOf(run), 1);
            run.reject(reason);
          },
          resolve(output, { peakRssBytes }) {
            signal?.removeEventListener('abort', abort);
            // The border: the child ran the very function that this type was taken from.
            resolve({ output: output as Awaited<ReturnType<List[typeof name]>>, peakRssBytes });
          },
          reject(reason) {
            signal?.removeEventListener('abort', abort);
            reject(reason);
          },
        };
        signal?.addEventListener('abort', abort, { once: true });
        waiting.push(run);
        assign();
      });
    },
    async close() {
      isClosed = true;
      for (const run of waiting.splice(0)) run.reject(closed());
      const last = [...children];
      for (const child of last) child.kill(closed());
      await Promise.all(last.map(({ gone }) => gone));
    },
  };
}

const closed = () => new ProviderError('WORKER_LOST', 'The server is stopping, so the work was not done', { retryable: true });
