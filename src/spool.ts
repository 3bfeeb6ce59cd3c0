import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';

/** Where bytes of requests wait on the local disk. Every folder in it belongs to a process, and goes with its request. */
export const spoolOf = (dataDir: string) => join(dataDir, 'spool', 'requests');

export const spoolName = () => `${hostname()}.${process.pid}.${randomUUID()}`;

/** A new folder in the spool, for `await using`. */
export async function openSpool(dataDir: string): Promise<{ folder: string } & AsyncDisposable> {
  const folder = join(spoolOf(dataDir), spoolName());
  await mkdir(folder, { recursive: true });
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}

/** Removes what requests left behind when their process died; folders of living processes stay, since several may share the disk. */
export async function emptySpool(spool: string): Promise<void> {
  await mkdir(spool, { recursive: true });
  for (const name of await readdir(spool)) {
    const [, host, pid] = /^(.*)\.(\d+)\.[^.]+$/.exec(name) ?? [];
    const folder = join(spool, name);
    // Of processes on other machines only age tells: no request lasts a day.
    const isLeft = host === hostname() ? Number(pid) === process.pid || !isAlive(Number(pid)) : (await stat(folder)).mtimeMs < Date.now() - 86_400_000;
    if (isLeft) await rm(folder, { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
