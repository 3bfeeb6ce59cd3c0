import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findProgram, run } from './process.ts';

export const cacheFolder = fileURLToPath(new URL('../../.cache', import.meta.url));

/** Unpacks Debian packages into `folder`, with the libraries that this machine lacks; nothing is installed and no system file changes. */
export async function unpackPackages(folder: string, packages: string[], withoutTheirs: string[] = []): Promise<void> {
  const archives = await mkdtemp(join(cacheFolder, 'archives.'));
  await mkdir(join(archives, 'partial'));
  try {
    // The machine's own package lists may be missing or older than the mirror: then lists of our own.
    await download(archives, aptWithoutLocks, packages, withoutTheirs).catch(async () => {
      await download(archives, await updatedLists(), packages, withoutTheirs);
    });
    for (const file of await readdir(archives)) {
      if (file.endsWith('.deb')) await run('dpkg', ['-x', join(archives, file), folder]);
    }
  } finally {
    await rm(archives, { recursive: true, force: true });
  }
}

async function download(archives: string, options: string[], packages: string[], withoutTheirs: string[]): Promise<void> {
  const install = ['install', '--download-only', '--reinstall', '--yes', '--no-install-recommends'];
  await run('apt-get', [...options, '-o', `Dir::Cache::archives=${archives}`, ...install, ...packages]);
  if (withoutTheirs.length > 0) await run('apt-get', [...options, 'download', ...withoutTheirs], { cwd: archives });
}

/** Runs `build` on an empty folder and keeps it as `.cache/<name>`; of several builders at once the first wins. */
export async function buildOnce(name: string, build: (folder: string) => Promise<void>): Promise<string> {
  const kept = join(cacheFolder, name);
  if (existsSync(kept)) return kept;
  await mkdir(cacheFolder, { recursive: true });
  const folder = await mkdtemp(`${kept}.`);
  try {
    await run('chmod', ['755', folder]);
    await build(folder);
    await rename(folder, kept).catch((error: unknown) => {
      if (!existsSync(kept)) throw error;
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return kept;
}

/** A program in `folder` that finds the libraries which were unpacked beside it: the paths hold wherever the folder is moved. */
export async function writeLauncher(folder: string, program: string): Promise<void> {
  const libraries = (await readdir(join(folder, 'usr/lib'))).filter((name) => name.includes('-linux-')).map((name) => `$here/usr/lib/${name}`);
  const name = basename(program);
  const text = `#!/bin/sh\nhere=$(dirname "$(readlink -f "$0")")\nexport LD_LIBRARY_PATH="${libraries.join(':')}"\nexec "$here/${program}" "$@"\n`;
  await writeFile(join(folder, name), text, { mode: 0o755 });
}

/** Whether packages can be fetched here at all. */
export const hasDebianTools = () => findProgram('apt-get') !== undefined && findProgram('dpkg') !== undefined;

/** The options that keep apt's lists, cache and locks in a folder of ours. */
export async function privateApt(name = 'apt'): Promise<string[]> {
  const folder = join(cacheFolder, name);
  await mkdir(join(folder, 'lists/partial'), { recursive: true });
  await mkdir(join(folder, 'cache/archives/partial'), { recursive: true });
  return [...aptWithoutLocks, '-o', `Dir::State::lists=${folder}/lists`, '-o', `Dir::Cache=${folder}/cache`];
}

/** The same, with lists that were fetched just now. */
export async function updatedLists(): Promise<string[]> {
  const options = await privateApt();
  await run('apt-get', [...options, 'update']);
  return options;
}
const aptWithoutLocks = ['-o', 'Debug::NoLocking=true', ...(process.getuid?.() === 0 ? ['-o', 'APT::Sandbox::User=root'] : [])];
