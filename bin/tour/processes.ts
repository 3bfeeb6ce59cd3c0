import { type ChildProcess, spawn } from 'node:child_process';
import { openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { endProcess, findProgram, freePort } from '../services/process.ts';

const program = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const readyWithinMs = 60_000;

export interface DarkroomProcess {
  readonly pid: number;
  /** Rejects with the process's own sentence when it ends before it was told to. */
  readonly ended: Promise<never>;
  stop(): Promise<void>;
}

/** One process of the built Darkroom, with its log in `folder`. It ends with this one, in order even when this one is killed (Linux). */
export function startDarkroomProcess(folder: string, settings: Record<string, string>): DarkroomProcess {
  const logFile = join(folder, `${settings['ROLE']}.log`);
  const log = openSync(logFile, 'a');
  const setpriv = process.platform === 'linux' ? findProgram('setpriv') : undefined;
  const [command = process.execPath, ...args] = [...(setpriv ? [setpriv, '--pdeathsig', 'TERM'] : []), process.execPath, program];
  // A group of its own: Ctrl-C reaches this process alone, which then stops everything in order. A folder of its own: no .env is read.
  const child = spawn(command, args, { cwd: folder, env: { ...process.env, ...settings }, stdio: ['ignore', log, log], detached: true });
  const killWithUs = () => child.kill('SIGKILL');
  process.once('exit', killWithUs);

  let isStopping = false;
  const ended = new Promise<never>((_, reject) => {
    child.once('error', reject);
    child.once('exit', () => {
      process.off('exit', killWithUs);
      if (!isStopping) reject(new Error(lastWords(child, readFileSync(logFile, 'utf8'))));
    });
  });
  ended.catch(() => {}); // whoever races it hears it
  return {
    pid: child.pid ?? 0,
    ended,
    async stop() {
      isStopping = true;
      await endProcess(child, 'SIGTERM', 5_000);
    },
  };
}

/** A start that is refused says why in plain sentences; what comes later is in lines of JSON. */
function lastWords({ exitCode, signalCode }: ChildProcess, log: string): string {
  const lines = log.split('\n').filter(Boolean);
  const sentences = lines.filter((line) => !line.startsWith('{'));
  return sentences.length > 0 ? sentences.join('\n') : `The server ended (${signalCode ?? `exit code ${exitCode}`}). Its last lines:\n${lines.slice(-5).join('\n')}`;
}

export async function waitUntilReady(url: string): Promise<void> {
  for (const deadline = Date.now() + readyWithinMs; ; await wait(50)) {
    const isReady = await fetch(`${url}/health/ready`).then((answer) => answer.ok, () => false);
    if (isReady) return;
    if (Date.now() > deadline) throw new Error(`Expected the server at ${url} to be ready within ${readyWithinMs / 1000} s but it is not`);
  }
}

/** The wished port, or a free one where somebody has it. */
export async function portOr(wished: number): Promise<number> {
  const server = createServer();
  const isFree = await new Promise<boolean>((resolve) => server.once('error', () => resolve(false)).listen(wished, '127.0.0.1', () => resolve(true)));
  await new Promise((resolve) => server.close(resolve));
  return isFree ? wished : freePort();
}
