import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { afterEach, describe, expect, test } from 'vitest';
import { createCompute, type Compute, type ComputeOptions } from '../src/compute/pool.ts';
import { ProviderError, UserError } from '../src/errors.ts';
import { createLog } from '../src/log.ts';
import type { tasks } from './fixtures/compute-tasks.ts';
import { until } from './until.ts';

const tasksUrl = new URL('./fixtures/compute-tasks.ts', import.meta.url).href;
const timeoutMs = 20_000;
const opened: { close(): Promise<void> }[] = [];
afterEach(() => Promise.all(opened.splice(0).map((compute) => compute.close())));

function openCompute(options: Partial<ComputeOptions> = {}): Compute<typeof tasks> {
  const compute = createCompute<typeof tasks>({ processes: 1, memoryLimitBytes: 500e6, log: createLog('silent'), tasksUrl, ...options });
  opened.push(compute);
  return compute;
}

/** Whether a process runs; one that is dead but not yet buried does not. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'));
  } catch {
    return false;
  }
}

describe('a task', () => {
  test('receives buffers and gives them back', async () => {
    const { output, peakRssBytes } = await openCompute().run('echo', { bytes: Buffer.from([0, 255, 7]) }, { timeoutMs });
    expect(output.bytes).toEqual(Buffer.from([0, 255, 7]));
    expect(peakRssBytes).toBeGreaterThan(10e6);
  });

  test('reports its progress in order', async () => {
    const seen: [number, string][] = [];
    await openCompute().run('steps', 4, { timeoutMs, onProgress: (percent, stage) => seen.push([percent, stage]) });
    expect(seen).toEqual([[25, 'step 1'], [50, 'step 2'], [75, 'step 3'], [100, 'step 4']]);
  });

  test.runIf(process.platform === 'linux')('tells its own peak of memory, not that of the task before it', async () => {
    const compute = openCompute({ memoryLimitBytes: 2e9 });
    const { peakRssBytes: heavy } = await compute.run('allocate', 200e6, { timeoutMs });
    const { output, peakRssBytes: quiet } = await compute.run('pid', null, { timeoutMs });
    expect(isAlive(output)).toBe(true);
    expect(heavy - quiet).toBeGreaterThan(180e6);
  });

  test.runIf(process.platform === 'linux')('tells its own peak of memory, not that of the process which started it', async () => {
    const large = Buffer.alloc(400e6, 1);
    const { peakRssBytes } = await openCompute().run('pid', null, { timeoutMs });
    expect(large.length).toBe(400e6);
    expect(peakRssBytes).toBeLessThan(350e6);
  });

  test('finds no environment variable of the server', async () => {
    const { output } = await openCompute().run('environment', null, { timeoutMs });
    expect(output).not.toContain('PATH');
    expect(output).not.toContain('HOME');
  });
});

describe('errors', () => {
  test('a UserError in the child is the same UserError here', async () => {
    const error = await openCompute().run('throwUserError', null, { timeoutMs }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(UserError);
    expect(error).toMatchObject({ code: 'TOO_SMALL', message: 'too small', extensions: { code: 'TOO_SMALL', hint: 'send more' } });
  });

  test('a ProviderError in the child is the same ProviderError here', async () => {
    const error = await openCompute().run('throwProviderError', null, { timeoutMs }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ProviderError);
    expect(error).toMatchObject({ code: 'MODEL_MISSING', message: 'no model', retryable: true, retryAfterMs: 5, hint: 'install it' });
  });

  test('a bug in the child keeps its name, message and stack', async () => {
    const error = await openCompute().run('throwFault', null, { timeoutMs }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ name: 'TypeError', message: 'a bug', stack: expect.stringContaining('compute-tasks') });
  });

  test('input or output that cannot cross rejects, and the child lives on', async () => {
    const compute = openCompute();
    const { output: before } = await compute.run('pid', null, { timeoutMs });
    const uncloneable = { bytes: Buffer.alloc(1), callback: () => 1 };
    await expect(compute.run('echo', uncloneable, { timeoutMs })).rejects.toThrow(/could not be cloned/);
    await expect(compute.run('answerWithFunction', null, { timeoutMs })).rejects.toThrow(/could not be cloned/);
    expect((await compute.run('pid', null, { timeoutMs })).output).toBe(before);
  });
});

describe('a child', () => {
  test('is kept for the next task', async () => {
    const compute = openCompute();
    const first = await compute.run('pid', null, { timeoutMs });
    const second = await compute.run('pid', null, { timeoutMs });
    expect(second.output).toBe(first.output);
    expect(isAlive(first.output)).toBe(true);
  });

  test('has one task at a time, and there are never more children than allowed', async () => {
    const compute = openCompute({ processes: 2 });
    const runs = await Promise.all([100, 100, 100, 100, 100, 100].map((wait) => compute.run('wait', wait, { timeoutMs })));
    expect(new Set(runs.map(({ output }) => output)).size).toBe(2);
  });

  test('comes after whoever asks the server', async () => {
    const { output: pid } = await openCompute().run('pid', null, { timeoutMs });
    expect(getPriority(pid)).toBeGreaterThan(getPriority());
  });

  test('is replaced when it is idle above half of the memory limit', async () => {
    const compute = openCompute({ memoryLimitBytes: 50e6 });
    const { output: first } = await compute.run('pid', null, { timeoutMs });
    const { output: second } = await compute.run('pid', null, { timeoutMs });
    expect(second).not.toBe(first);
    expect(isAlive(first)).toBe(false);
  });

  test('is replaced after 5,000 tasks', async () => {
    const compute = openCompute();
    const { output: first } = await compute.run('pid', null, { timeoutMs });
    for (let count = 2; count <= 5_000; count++) expect((await compute.run('pid', null, { timeoutMs })).output).toBe(first);
    expect((await compute.run('pid', null, { timeoutMs })).output).not.toBe(first);
  });
});

describe('an aborted signal', () => {
  test('kills a child in a busy loop at once, rejects with its reason, and the next task runs', async () => {
    const compute = openCompute();
    const controller = new AbortController();
    let pid = 0;
    const run = compute.run('spin', null, { timeoutMs, signal: controller.signal, onProgress: (_, stage) => (pid = Number(stage)) });
    await until('the task to begin', () => pid > 0);
    const reason = new Error('the viewer changed his mind');
    controller.abort(reason);
    await expect(run).rejects.toBe(reason);
    await until('the child to be dead', () => !isAlive(pid), 2_000);
    expect((await compute.run('pid', null, { timeoutMs })).output).not.toBe(pid);
  });

  test('keeps a waiting task from starting', async () => {
    const compute = openCompute();
    const controller = new AbortController();
    const seen: string[] = [];
    const first = compute.run('wait', 300, { timeoutMs });
    const second = compute.run('steps', 1, { timeoutMs, signal: controller.signal, onProgress: (_, stage) => seen.push(stage) });
    const third = compute.run('pid', null, { timeoutMs });
    controller.abort();
    await expect(second).rejects.toMatchObject({ name: 'AbortError' });
    expect((await third).output).toBe((await first).output);
    expect(seen).toEqual([]);
  });

  test('that came before the task refuses it', async () => {
    const reason = new Error('too late');
    await expect(openCompute().run('pid', null, { timeoutMs, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});

describe('a lost child costs one task', () => {
  test('a task over its time ends as TIMED_OUT, not to be retried', async () => {
    const compute = openCompute();
    const error = await compute.run('spin', null, { timeoutMs: 300 }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ProviderError);
    expect(error).toMatchObject({ code: 'TIMED_OUT', retryable: false, message: expect.stringContaining('0.3 s') });
    await compute.run('pid', null, { timeoutMs });
  });

  test('the start of a child does not count against the time of its task', async () => {
    const { output } = await openCompute().run('wait', 1, { timeoutMs: 100 });
    expect(output).toBeGreaterThan(0);
  });

  test.each(['leak', 'leakInLoop'] as const)('%s ends as OUT_OF_MEMORY with what it used and what it may use', async (name) => {
    const compute = openCompute({ memoryLimitBytes: 300e6 });
    const error = await compute.run(name, null, { timeoutMs }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'OUT_OF_MEMORY', retryable: false, message: expect.stringMatching(/used \d{3} MB .* limit of 300 MB/) });
    await compute.run('pid', null, { timeoutMs });
  });

  test.each([['abort', null, 'SIGABRT'], ['exit', 3, 'exit code 3']] as const)('%s ends as WORKER_LOST, to be retried', async (name, input, how) => {
    const compute = openCompute();
    const error = await compute.run<'abort' | 'exit'>(name, input as never, { timeoutMs }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'WORKER_LOST', retryable: true, message: expect.stringContaining(how) });
    await compute.run('pid', null, { timeoutMs });
  });

  test('a child that cannot start tells so instead of hanging', async () => {
    const compute = openCompute({ tasksUrl: 'file:///nowhere/tasks.ts' });
    await expect(compute.run('pid', null, { timeoutMs })).rejects.toMatchObject({ code: 'WORKER_LOST', message: expect.stringContaining('exit code 1') });
  });

  test('of poison and healthy tasks in one queue, exactly the poison fails', async () => {
    const compute = openCompute({ processes: 2 });
    const names = ['pid', 'abort', 'pid', 'exit', 'pid', 'spin', 'pid', 'pid'] as const;
    const results = await Promise.allSettled(names.map((name) => compute.run<(typeof names)[number]>(name, null as never, { timeoutMs: 1_000 })));
    expect(results.map(({ status }) => status === 'fulfilled')).toEqual(names.map((name) => name === 'pid'));
  });
});

test('closing ends what runs, refuses what waits, and leaves no process', async () => {
  const compute = openCompute();
  const { output: pid } = await compute.run('pid', null, { timeoutMs });
  const runs = [compute.run('wait', 60_000, { timeoutMs: 60_000 }), compute.run('pid', null, { timeoutMs })].map((run) => run.catch((reason: unknown) => reason));
  await compute.close();
  for (const error of await Promise.all(runs)) expect(error).toMatchObject({ code: 'WORKER_LOST', retryable: true });
  expect(isAlive(pid)).toBe(false);
  await expect(compute.run('pid', null, { timeoutMs })).rejects.toMatchObject({ code: 'WORKER_LOST' });
});

/** A parent of its own, so that it can be killed or looked into. */
function spawnParent(script: string) {
  const pool = new URL('../src/compute/pool.ts', import.meta.url).href;
  const source = `import { createCompute } from ${JSON.stringify(pool)};
    const compute = createCompute({ processes: 1, memoryLimitBytes: 500e6, log: { warn() {}, error() {} }, tasksUrl: ${JSON.stringify(tasksUrl)} });
    ${script}`;
  return spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', source], { stdio: ['ignore', 'pipe', 'inherit'] });
}

test('a child in a busy loop dies with a parent that is killed', async () => {
  const parent = spawnParent(`compute.run('spin', null, { timeoutMs: 60_000, onProgress: (_, pid) => console.log(pid) });`);
  const [output] = (await once(parent.stdout, 'data')) as [Buffer];
  const pid = Number(output.toString());
  expect(isAlive(pid)).toBe(true);
  parent.kill('SIGKILL');
  await until('the child to be dead', () => !isAlive(pid), 5_000);
});

test('the parent never loads sharp', async () => {
  const parent = spawnParent(`console.log(process.report.getReport().sharedObjects.join()); await compute.close();`);
  const [output] = (await once(parent.stdout, 'data')) as [Buffer];
  expect(output.toString()).toContain('libc');
  expect(output.toString()).not.toMatch(/sharp|vips/);
  await once(parent, 'exit');
});
