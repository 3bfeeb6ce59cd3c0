import { type ChildProcess, fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants, setPriority } from 'node:os';
import { pathToFileURL } from 'node:url';
import { ProviderError } from '../errors.ts';
import type { Log } from '../log.ts';
import { type FromChild, type MemoryUse, type ToChild, unpackError } from './messages.ts';

const MEMORY_WATCH_MS = 100;
const STARTUP_LIMIT_MS = 30_000;
/** A start costs a second of the processor, for the engine compiles everything anew; a leak that is larger shows by memory. */
const MAX_TASKS = 5_000;
const STDERR_TAIL = 2_000;

/** A task on its way: from the queue to a child to its end. */
export interface Run {
  name: string;
  input: unknown;
  timeoutMs: number;
  onProgress: ((percent: number, stage: string) => void) | undefined;
  /** Ends it early, wherever it is. */
  cancel(reason: unknown): void;
  resolve(output: unknown, memory: MemoryUse): void;
  reject(reason: unknown): void;
}

/** One process of the pool. */
export interface Child {
  readonly isIdle: boolean;
  /** Only for an idle child. Time counts from the moment the child is up. */
  run(run: Run): void;
  kill(reason: unknown): void;
  /** Resolves when the process is gone. */
  readonly gone: Promise<void>;
}

export interface ChildOptions {
  tasksUrl: string;
  memoryLimitBytes: number;
  log: Log;
  /** The child is idle again, or gone. */
  onChange(child: Child): void;
}

/** Starts a child that dies at its ceilings, with this process, or after so many tasks that leaks would show. */
export function startChild({ tasksUrl, memoryLimitBytes, log, onChange }: ChildOptions): Child {
  let state: 'starting' | 'ready' | 'dying' = 'starting';
  let current: Run | null = null;
  let began = false;
  let taskCount = 0;
  let stderr = '';
  let deadline: NodeJS.Timeout | undefined;
  let memoryWatch: NodeJS.Timeout | undefined;
  let markGone = () => {};
  const gone = new Promise<void>((resolve) => (markGone = resolve));

  const forked = forkChild(tasksUrl);
  if (forked.pid !== undefined) giveWay(forked.pid);
  const startup = setTimeout(() => kill(lost(`did not start within ${STARTUP_LIMIT_MS / 1000} s`)), STARTUP_LIMIT_MS);
  forked.on('message', (message) => hear(message as FromChild));
  forked.on('exit', (code, signal) => end(signal ? `was killed by ${signal}` : `ended with exit code ${code}`));
  forked.on('error', (error) => {
    log.error({ err: error }, 'compute child failed');
    if (forked.pid === undefined) end(`could not be started: ${error.message}`);
  });
  forked.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr = (stderr + text).slice(-STDERR_TAIL)));

  function begin(): void {
    if (!current || state !== 'ready') return;
    const { name, input, timeoutMs } = current;
    began = true;
    taskCount++;
    deadline = setTimeout(() => kill(timedOut(name, timeoutMs)), timeoutMs);
    memoryWatch = setInterval(() => weigh(residentBytes(forked.pid)), MEMORY_WATCH_MS);
    try {
      // A channel that breaks is followed by the exit of the child, which tells.
      forked.send({ id: taskCount, name, input } satisfies ToChild, () => {});
    } catch (error) {
      settle()?.reject(error);
      onChange(child);
    }
  }

  function hear(message: FromChild): void {
    if (message.type === 'ready') {
      clearTimeout(startup);
      if (state === 'starting') state = 'ready';
      begin();
    } else if (message.type === 'memory') {
      weigh(message.rssBytes);
    } else if (!current || message.id !== taskCount) {
      return;
    } else if (message.type === 'progress') {
      current.onProgress?.(message.percent, message.stage);
    } else {
      const run = settle();
      if (message.type === 'done') run?.resolve(message.output, message.memory);
      else run?.reject(unpackError(message.error));
      const worn = taskCount >= MAX_TASKS || message.memory.rssBytes > memoryLimitBytes / 2;
      if (worn) kill(null);
      else onChange(child);
    }
  }

  function weigh(rssBytes: number): void {
    if (current && began && rssBytes > memoryLimitBytes) kill(outOfMemory(current.name, rssBytes, memoryLimitBytes));
  }

  /** Frees the child of its run; the caller tells the run how it ended. */
  function settle(): Run | null {
    const run = current;
    clearTimeout(deadline);
    clearInterval(memoryWatch);
    current = null;
    began = false;
    return run;
  }

  function kill(reason: unknown): void {
    state = 'dying';
    forked.kill('SIGKILL');
    settle()?.reject(reason);
  }

  function end(how: string): void {
    const expected = state === 'dying';
    state = 'dying';
    clearTimeout(startup);
    if (!expected) log.warn({ task: current?.name, stderr }, `compute child ${how}`);
    settle()?.reject(lost(how));
    markGone();
    onChange(child);
  }

  const child: Child = {
    get isIdle() {
      return state !== 'dying' && current === null;
    },
    run(run) {
      current = run;
      run.cancel = (reason) => {
        if (began) return kill(reason);
        settle()?.reject(reason);
        onChange(child);
      };
      begin();
    },
    kill,
    gone,
  };
  return child;
}

function forkChild(tasksUrl: string): ChildProcess {
  const fromSource = import.meta.url.endsWith('.ts');
  const tsx = () => pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
  return fork(new URL(fromSource ? './child.ts' : './child.js', import.meta.url), [tasksUrl, String(process.pid)], {
    execArgv: fromSource ? ['--import', tsx()] : [],
    // Whoever takes over a decoder finds no secrets here.
    env: {},
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
}

/** Pixels wait for whoever asks the server: its answers come sooner while pictures are analysed, and the pictures no later. */
function giveWay(pid: number): void {
  try {
    setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // It is gone already, or the system does not let us: then all are equal.
  }
}

/** 0 where the system has no /proc or the process is gone. Not statm: it counts in pages, whose size Node cannot tell. */
function residentBytes(pid: number | undefined): number {
  try {
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

const lost = (how: string) => new ProviderError('WORKER_LOST', `The process that did the work ${how}`, { retryable: true });

const timedOut = (name: string, timeoutMs: number) =>
  new ProviderError('TIMED_OUT', `Task "${name}" took longer than its limit of ${timeoutMs / 1000} s`, { retryable: false, hint: 'Use a smaller image' });

const outOfMemory = (name: string, rssBytes: number, limitBytes: number) =>
  new ProviderError('OUT_OF_MEMORY', `Task "${name}" used ${Math.ceil(rssBytes / 1e6)} MB of memory, above its limit of ${Math.floor(limitBytes / 1e6)} MB`, {
    retryable: false,
    hint: 'Use a smaller image, or raise COMPUTE_MEMORY',
  });
