import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findProgram, run } from './process.ts';

export const cacheFolder = fileURLToPath(new URL('../../.cache', import.meta.url));

/** Debian packages, with the libraries this machine lacks, unpacked into `.cache/<name>`; nothing is installed and no system file changes. */
export async function unpackPackages(name: string, packages: string[], finish: (folder: string) => Promise<void>): Promise<string> {
  return buildOnce(name, async (folder) => {
    const archives = await downloadPackages(packages);
    try {
      for (const file of await readdir(archives)) {
        if (file.endsWith('.deb')) await run('dpkg', ['-x', join(archives, file), folder]);
      }
      await finish(folder);
    } finally {
      await rm(archives, { recursive: true, force: true });
    }
  });
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

/** Whether packages can be fetched here at all. */
export const hasDebianTools = () => findProgram('apt-get') !== undefined && findProgram('dpkg') !== undefined;

/** The options that keep apt's lists, cache and locks in a folder of ours. */
export async function privateApt(): Promise<string[]> {
  const folder = join(cacheFolder, 'apt');
  await mkdir(join(folder, 'lists/partial'), { recursive: true });
  return [...aptWithoutLocks, '-o', `Dir::State::lists=${folder}/lists`, '-o', `Dir::Cache=${folder}/cache`];
}
const aptWithoutLocks = ['-o', 'Debug::NoLocking=true', ...(process.getuid?.() === 0 ? ['-o', 'APT::Sandbox::User=root'] : [])];

async function downloadPackages(packages: string[]): Promise<string> {
  const archives = await mkdtemp(join(cacheFolder, 'archives.'));
  await mkdir(join(archives, 'partial'));
  const download = (options: string[]) =>
    run('apt-get', [...options, '-o', `Dir::Cache::archives=${archives}`, 'install', '--download-only', '--yes', '--no-install-recommends', ...packages]);
  try {
    await download(aptWithoutLocks).catch(async () => {
      // The machine's package lists are missing or older than the mirror: fetch lists of our own.
      const options = await privateApt();
      await run('apt-get', [...options, 'update']);
      await download(options);
    });
  } catch (error) {
    await rm(archives, { recursive: true, force: true });
    throw error;
  }
  return archives;
}
