import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { lockFolder } from '../src/database/lock.ts';

let parent: string;
let folder: string;
const children: ChildProcess[] = [];
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'darkroom-lock-'));
  folder = join(parent, 'pglite');
});
afterEach(async () => {
  // Until they are gone: the next folder may get the inode of this one, by which they hold it.
  await Promise.all(children.splice(0).map(end));
  await rm(parent, { recursive: true });
});

/** Another process that takes the folder and keeps it; its first line says "locked" or why not. */
async function lockElsewhere(command: string[] = []): Promise<{ child: ChildProcess; says: string }> {
  const module = new URL('../src/database/lock.ts', import.meta.url).href;
  const program = `import(${JSON.stringify(module)}).then(({ lockFolder }) => lockFolder(${JSON.stringify(folder)}))
    .then(() => console.log('locked'), (error) => console.log(error.message)); setInterval(() => {}, 1000);`;
  const [name = '', ...rest] = [...command, process.execPath, '--import', 'tsx', '-e', program];
  const child = spawn(name, rest, { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  for await (const line of createInterface(child.stdout)) return { child, says: line };
  throw new Error('the other process ended without a word');
}

async function end(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

const pretendOwner = (owner: object) => writeFile(`${folder}.lock`, JSON.stringify(owner));

test('a folder that is made is for its user alone', async () => {
  const release = await lockFolder(folder);
  expect((await stat(folder)).mode & 0o777).toBe(0o700);
  await release();
});

test('a second process is refused, with the folder, the owner and what helps', async () => {
  const { child, says } = await lockElsewhere();
  expect(says).toBe('locked');
  const sentence = new RegExp(`database folder ${folder} is in use by process ${child.pid}\\b.*Stop that process, or set DATABASE_URL`);
  await expect(lockFolder(folder)).rejects.toThrow(sentence);
  expect((await lockElsewhere()).says).toMatch(sentence);
});

test('the folder is free at once after its owner was killed', async () => {
  const { child } = await lockElsewhere();
  await end(child);
  const release = await lockFolder(folder);
  expect(JSON.parse(await readFile(`${folder}.lock`, 'utf8'))).toMatchObject({ pid: process.pid });
  await release();
  expect(await readdir(parent)).toEqual(['pglite']);
});

test('an owner that is stopped keeps the folder', async () => {
  const { child } = await lockElsewhere();
  child.kill('SIGSTOP');
  await expect(lockFolder(folder)).rejects.toThrow(/in use by process/);
  child.kill('SIGCONT');
});

test('one process cannot take it twice, and can take it again once it let go', async () => {
  const release = await lockFolder(folder);
  await expect(lockFolder(folder)).rejects.toThrow(new RegExp(`process ${process.pid}`));
  await release();
  await (await lockFolder(folder))();
});

test('of many that start at once one wins', async () => {
  const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => lockFolder(folder)));
  const releases = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  expect(releases).toHaveLength(1);
  await releases[0]?.();
});

test('an owner on another host is never robbed', async () => {
  await pretendOwner({ pid: 1, host: 'elsewhere', boot: '00000000-0000-0000-0000-000000000000' });
  await expect(lockFolder(folder)).rejects.toThrow(new RegExp(`process 1 on host "elsewhere".*certainly gone, delete ${folder}.lock`));
  expect(existsSync(`${folder}.lock`)).toBe(true);
});

test('a lock that cannot be read is not taken for none', async () => {
  await pretendOwner({});
  await writeFile(`${folder}.lock`, '{"pid":');
  await expect(lockFolder(folder)).rejects.toThrow(/cannot be read/);
});

const canLeaveNetwork = spawnSync('unshare', ['--net', 'true']).status === 0;
describe.runIf(canLeaveNetwork)('across network namespaces, as two containers with one volume', () => {
  // The abstract socket is not seen from there; the socket beside the folder is.
  const otherNamespace = ['unshare', '--net', '--'];

  test('a living owner is not robbed', async () => {
    const { says } = await lockElsewhere(otherNamespace);
    expect(says).toBe('locked');
    await expect(lockFolder(folder)).rejects.toThrow(/in use by process/);
  });

  test('a killed owner leaves it free', async () => {
    const { child } = await lockElsewhere(otherNamespace);
    await end(child);
    const release = await lockFolder(folder);
    await release();
    expect(await readdir(parent)).toEqual(['pglite']);
  });
});

test.runIf(process.platform === 'linux')('an owner from before the machine was started again is gone', async () => {
  const release = await lockFolder(folder);
  const owner = JSON.parse(await readFile(`${folder}.lock`, 'utf8')) as object;
  await release();
  await pretendOwner({ ...owner, boot: '00000000-0000-0000-0000-000000000000' });
  await (await lockFolder(folder))();
});
