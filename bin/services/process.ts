import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { accessSync, constants, openSync } from 'node:fs';
import { createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';

export const run = promisify(execFile);

/** The full path of a program on the PATH or in one of the further folders. */
export function findProgram(name: string, furtherFolders: string[] = []): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter).filter(Boolean), ...furtherFolders];
  return folders.map((folder) => join(folder, name)).find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** A port on loopback that nobody listened on a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('Expected a TCP address for a free port');
  return address.port;
}

const running = new Set<ChildProcess>();
process.once('exit', () => running.forEach((child) => child.kill('SIGKILL')));

/**
 * Starts a server that ends with this process, even when this process is killed with SIGKILL (Linux).
 * Its output goes to `logFile`. `unprivileged` runs it as nobody when we are root.
 */
export function startProcess(program: string, args: string[], options: { cwd: string; logFile: string; unprivileged?: boolean }): ChildProcess {
  const setpriv = process.platform === 'linux' ? findProgram('setpriv') : undefined;
  const drop = options.unprivileged && process.getuid?.() === 0;
  if (drop && !setpriv) throw new Error(`Expected setpriv (package util-linux) to run ${program} as nobody, but it is not on the PATH`);
  const command = setpriv ? [setpriv, ...(drop ? asNobody : []), '--pdeathsig', 'KILL', program, ...args] : [program, ...args];
  const log = openSync(options.logFile, 'a', 0o644);
  const child = spawn(command[0] ?? program, command.slice(1), { cwd: options.cwd, stdio: ['ignore', log, log] });
  running.add(child);
  child.once('close', () => running.delete(child));
  return child;
}
export const asNobody = ['--reuid', '65534', '--regid', '65534', '--clear-groups'];

/** Sends the signal and waits for the end; what ignores it for `graceMs` is killed. */
export async function endProcess(child: ChildProcess, signal: NodeJS.Signals, graceMs = 10_000): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
  await closed;
  clearTimeout(timer);
}

/** Asks until the answer is yes; a server that ended meanwhile or stays silent is an error. */
export async function waitUntilReady(name: string, child: ChildProcess, logFile: string, isReady: () => Promise<boolean>, timeoutMs = 30_000): Promise<void> {
  let fault: Error | undefined;
  child.once('error', (error) => (fault = error));
  for (const deadline = Date.now() + timeoutMs; ; await wait(20)) {
    if (fault || child.exitCode !== null || child.signalCode !== null) throw new Error(`${name} ended while starting; its log is ${logFile}`, { cause: fault });
    if (await isReady()) return;
    if (Date.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`${name} did not answer within ${timeoutMs / 1000} s; its log is ${logFile}`);
    }
  }
}
