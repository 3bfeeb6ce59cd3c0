import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { type FromChild, type MemoryUse, packError, type TaskContext, type ToChild } from './messages.ts';

// The process in which hostile bytes are decoded: `fork(child, [tasksUrl, parentPid])`. It runs one task at a time.
const [tasksUrl = '', parentPid = ''] = process.argv.slice(2);
const MEMORY_REPORT_MS = 100;
const hasProc = existsSync('/proc/self/status');

// A terminal sends Ctrl-C to the whole group. The parent decides when this process ends: it disconnects, or kills.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {});
process.on('disconnect', () => process.exit());

// A task that blocks this thread would not hear its parent die. This thread looks once a second.
new Worker(`setInterval(() => process.ppid === ${Number(parentPid)} || process.kill(process.pid, 'SIGKILL'), 1000)`, { eval: true, execArgv: [] }).unref();

const { tasks } = (await import(tasksUrl)) as { tasks: Record<string, (input: unknown, context: TaskContext) => Promise<unknown>> };
process.on('message', (message) => void answer(message as ToChild));
tell({ type: 'ready' });

async function answer({ id, name, input }: ToChild): Promise<void> {
  forgetPeak();
  // Where there is /proc the parent looks there itself.
  const reports = hasProc ? undefined : setInterval(() => tell({ type: 'memory', rssBytes: process.memoryUsage.rss() }), MEMORY_REPORT_MS);
  try {
    const task = tasks[name];
    if (!task) throw new Error(`Expected one of the tasks ${Object.keys(tasks).join(', ')} but received "${name}"`);
    const output = await task(input, { progress: (percent, stage) => tell({ type: 'progress', id, percent, stage }) });
    tell({ type: 'done', id, output, memory: memoryUse() });
  } catch (error) {
    tell({ type: 'failed', id, error: packError(error), memory: memoryUse() });
  } finally {
    clearInterval(reports);
  }
}

function tell(message: FromChild): void {
  // The callback keeps a channel that has just closed from throwing; the disconnect ends this process anyway.
  process.send?.(message, undefined, undefined, () => {});
}

/** Linux lowers the high-water mark of a process on request (proc_pid_clear_refs(5)); elsewhere it stays that of its life. */
function forgetPeak(): void {
  try {
    writeFileSync('/proc/self/clear_refs', '5');
  } catch {
    return;
  }
}

function memoryUse(): MemoryUse {
  return { rssBytes: process.memoryUsage.rss(), peakRssBytes: peakRss() };
}

/** getrusage(2) would not do where /proc is: its maximum of a process begins with that of the one which started it, and no request lowers it. */
function peakRss(): number {
  try {
    const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
    if (kilobytes) return Number(kilobytes) * 1024;
  } catch {
    // Not on this system.
  }
  return process.resourceUsage().maxRSS * 1024;
}
