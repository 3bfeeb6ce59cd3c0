import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { findProgram, freePort } from '../bin/services/process.ts';

export const root = fileURLToPath(new URL('..', import.meta.url));

/** Of the machine: who is held to one CPU sees no other. */
export const cores = availableParallelism();
const taskset = process.platform === 'linux' && cores > 1 ? findProgram('taskset') : undefined;
const lastCpu = cores - 1;

/** What is measured runs on the first CPU; the load, and databases that this process starts, on the last. Without taskset nobody is held anywhere. */
export function keepToLastCpu(): void {
  if (taskset) execFileSync(taskset, ['-a', '-c', '-p', String(lastCpu), String(process.pid)], { stdio: 'ignore' });
}

/** For a figure whose own children are what is measured, on as many CPUs as there are. */
export function useAllCpus(): void {
  if (taskset) execFileSync(taskset, ['-a', '-c', '-p', `0-${lastCpu}`, String(process.pid)], { stdio: 'ignore' });
}

const onFirstCpu = ['-c', '0'];
const onAllCpus = ['-c', `0-${lastCpu}`];

export const machine = () => `${cpus()[0]?.model ?? 'unknown CPU'}, ${cores} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform} ${release()}, Node ${process.version}`;
export const load = () => loadavg().map((value) => value.toFixed(1)).join(' ');
export const isPinned = taskset !== undefined;

export interface Side {
  pid: number;
  /** Sends a message to the process and gives its answer. */
  ask<Answer>(message: object): Promise<Answer>;
  stop(): Promise<void>;
}

interface SideOptions {
  environment?: Record<string, string>;
  /** Gives the process every CPU instead of the first. */
  allCpus?: boolean;
  logFile: string;
  nodeOptions?: string[];
}

const running = new Set<ChildProcess>();
process.once('exit', () => running.forEach((child) => child.kill('SIGKILL')));

function launch(file: string, { environment = {}, allCpus = false, logFile, nodeOptions = [] }: SideOptions): ChildProcess {
  const log = openSync(logFile, 'a');
  const [program, first] = taskset ? [taskset, [...(allCpus ? onAllCpus : onFirstCpu), process.execPath]] : [process.execPath, []];
  const child = spawn(program, [...first, ...nodeOptions, join(root, file)], {
    cwd: root,
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], NODE_ENV: 'production', ...environment },
    stdio: ['ignore', log, log, 'ipc'],
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 15_000);
  await gone;
  clearTimeout(timer);
}

/** Starts one of `bench/sides`, which are plain JavaScript so that they run compiled code as it is. */
export async function startSide(name: string, options: SideOptions): Promise<Side> {
  const child = launch(`bench/sides/${name}.js`, options);
  const gone = once(child, 'exit').then(() => {
    throw new Error(`${name} ended while it was needed; its log is ${options.logFile}`);
  });
  gone.catch(() => {});
  const hear = async () => {
    const [answer] = (await Promise.race([once(child, 'message'), gone])) as [{ fault?: string; value: unknown }];
    if (answer.fault) throw new Error(`${name}: ${answer.fault}`);
    return answer.value;
  };
  await hear();
  return {
    pid: child.pid!,
    async ask<Answer>(message: object) {
      child.send(message);
      return (await hear()) as Answer;
    },
    stop: () => end(child),
  };
}

export interface RunningDarkroom {
  url: string;
  pid: number;
  /** From the start of the process until it says that it is ready. */
  readyMs: number;
  stop(): Promise<void>;
}

const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: { start: string } };
const startOptions = scripts.start.split(' ').filter((word) => word.startsWith('--'));

/** The compiled program, as `npm start` runs it. */
export async function startDarkroom(environment: Record<string, string>, options: Omit<SideOptions, 'environment'>): Promise<RunningDarkroom> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const startedAt = performance.now();
  const child = launch('dist/main.js', { ...options, nodeOptions: startOptions, environment: { PORT: String(port), LOG_LEVEL: 'error', ...environment } });
  for (;;) {
    const response = await fetch(`${url}/health/ready`).catch(() => null);
    if (response?.ok) break;
    if (child.exitCode !== null || performance.now() - startedAt > 60_000) throw new Error(`Darkroom did not start; its log is ${options.logFile}`);
    await sleep(10);
  }
  return { url, pid: child.pid!, readyMs: performance.now() - startedAt, stop: () => end(child) };
}

export const hasProc = existsSync('/proc/self/status');

/** Resident memory of a process now, and the most since `forgetPeak`, in bytes. */
export function memoryOf(pid: number): { rss: number; peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const read = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * 1024;
  return { rss: read('VmRSS'), peak: read('VmHWM') };
}

/** proc_pid_clear_refs(5) */
export const forgetPeak = (pid: number): void => writeFileSync(`/proc/${pid}/clear_refs`, '5');

/** CPU time that a process has used, in ms; NaN where the system does not tell. Ticks are 10 ms on Linux. */
export function cpuMsOf(pid: number): number {
  if (!hasProc) return NaN;
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** The processes that a process has started and that still live. */
export function childrenOf(pid: number): number[] {
  if (!hasProc) return [];
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
}
