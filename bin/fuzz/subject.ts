import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** Darkroom as a process of its own, with data of its own, watched from outside. */
export interface Subject {
  url: string;
  /** Whatever it said that a sound program does not say: faults of its own, and what nobody caught. */
  complaints: string[];
  /** Resident memory of the API process; 0 where there is no /proc. */
  residentBytes(): number;
  isRunning(): boolean;
  stop(): Promise<void>;
}

const startMs = 60_000;

export async function startSubject(): Promise<Subject> {
  const folder = await mkdtemp(join(tmpdir(), 'darkroom-fuzz-'));
  const { PATH, HOME, TMPDIR } = process.env;
  // Small limits, so that they are met; no provider outside; jobs that end; every query compiled that can be, by a compiler that is not ours.
  const settings = { DATA_DIR: folder, PORT: '0', LOG_LEVEL: 'info', GRAPHQL_COMPILE_AFTER: '1', LIMIT_JOBS: '50', JOB_TIMEOUT: '20s', JOB_HARD_TIMEOUT: '30s', JOB_MAX_FAILURES: '2', UPLOAD_MAX_BYTES: '2MB', UPLOAD_MAX_FILES: '5', UPLOAD_MAX_PIXELS: '16000000', SHUTDOWN_TIMEOUT: '5s' };
  const child = spawn(process.execPath, ['--import', 'tsx', 'src/main.ts'], { cwd: fileURLToPath(new URL('../..', import.meta.url)), env: { PATH, HOME, TMPDIR, ...settings }, stdio: ['ignore', 'ignore', 'pipe'] });
  const kill = () => void child.kill('SIGKILL');
  process.once('exit', kill);
  const isRunning = () => child.exitCode === null && child.signalCode === null;
  const complaints: string[] = [];
  let isStopping = false;
  child.once('exit', (code, signal) => { if (!isStopping) complaints.push(`The process ended with ${code ?? signal}`); });

  const url = await new Promise<string>((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`Expected Darkroom to start within ${startMs / 1000} s`)), startMs);
    child.once('exit', () => reject(new Error(`Darkroom ended while starting: ${complaints.join('\n')}`)));
    createInterface({ input: child.stderr }).on('line', (line) => {
      const told = line.startsWith('{') ? (JSON.parse(line) as { level: number; msg: string }) : null;
      if (!told || told.level >= 50) complaints.push(line.slice(0, 4_000));
      const address = /^Darkroom listens at (\S+)\/graphql/.exec(told?.msg ?? '')?.[1];
      if (!address) return;
      clearTimeout(late);
      resolve(address);
    });
  });
  return {
    url,
    complaints,
    isRunning,
    residentBytes() {
      try {
        return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${child.pid}/status`, 'latin1'))?.[1] ?? 0) * 1024;
      } catch {
        return 0;
      }
    },
    async stop() {
      isStopping = true;
      if (isRunning()) {
        child.kill('SIGTERM');
        await once(child, 'exit');
      }
      process.off('exit', kill);
      await rm(folder, { recursive: true, force: true });
    },
  };
}
