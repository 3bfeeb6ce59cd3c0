import { existsSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildOnce, cacheFolder, hasDebianTools, privateApt, unpackPackages, updatedLists, writeLauncher } from './debian.ts';
import { findProgram, run } from './process.ts';

/** PostgreSQL with pgvector in `.cache/postgres`, unpacked from Debian's or Ubuntu's packages; pgvector is built there where it has no package. */
export async function pgvectorFolder(): Promise<string> {
  const advice = process.platform === 'darwin' ? 'run `brew install postgresql@17 pgvector`' : 'install both with the package manager of this machine';
  if (!hasDebianTools()) throw new Error(`Expected a PostgreSQL with pgvector on this machine but found none: ${advice}`);
  try {
    return await buildOnce('postgres', assemble);
  } catch (cause) {
    throw new Error(`Expected a PostgreSQL with pgvector on this machine but found none, and it could not be put together in .cache/postgres: ${advice}`, { cause });
  }
}

async function assemble(folder: string): Promise<void> {
  const { version, hasPgvector } = await packagedVersion();
  const server = [`postgresql-${version}`, `postgresql-client-${version}`];
  if (hasPgvector) {
    await unpackPackages(folder, [...server, `postgresql-${version}-pgvector`]);
  } else {
    // The headers come without what they depend on: that is a whole compiler suite for JIT.
    await unpackPackages(folder, server, [`postgresql-server-dev-${version}`]);
    await buildPgvector(folder, version);
  }
  for (const program of ['postgres', 'initdb', 'pg_config', 'psql']) await writeLauncher(folder, `usr/lib/postgresql/${version}/bin/${program}`);
}

/** What this release of Debian or Ubuntu has; its metapackage depends on the version. Debian 12 has no package of pgvector. */
async function packagedVersion(): Promise<{ version: string; hasPgvector: boolean }> {
  for (const lists of [() => Promise.resolve([]), updatedLists]) {
    const options = await lists();
    const depends = await run('apt-cache', [...options, 'depends', 'postgresql']).catch(() => ({ stdout: '' }));
    const version = /Depends: postgresql-(\d+)/.exec(depends.stdout)?.[1];
    if (!version) continue;
    const found = await run('apt-cache', [...options, 'search', '--names-only', `^postgresql-${version}-pgvector$`]);
    return { version, hasPgvector: found.stdout !== '' };
  }
  throw new Error('Expected the package lists to name a version of PostgreSQL');
}

async function buildPgvector(folder: string, version: string): Promise<void> {
  for (const tool of ['make', 'gcc', 'tar']) {
    if (!findProgram(tool)) throw new Error(`Expected ${tool} on the PATH to build pgvector: run \`apt-get install build-essential\``);
  }
  const source = join(folder, 'pgvector');
  await downloadSource(source);
  const archive = (await readdir(source)).find((name) => name.includes('.orig.tar'));
  if (!archive) throw new Error('Expected the source package of pgvector to have an archive');
  await run('tar', ['-xf', archive, '--strip-components=1'], { cwd: source });
  // PostgreSQL finds its folders relative to its programs, so pg_config names those of `folder`.
  const settings = [`PG_CONFIG=${join(folder, 'usr/lib/postgresql', version, 'bin/pg_config')}`, 'OPTFLAGS=', 'with_llvm=no'];
  await run('make', ['-j2', ...settings], { cwd: source, maxBuffer: 1e8 });
  await run('make', ['install', ...settings], { cwd: source, maxBuffer: 1e8 });
  await rm(source, { recursive: true });
}

/** The source package of Debian 13, by a private apt configuration that takes the machine's own mirror. */
async function downloadSource(target: string): Promise<void> {
  await mkdir(target, { recursive: true });
  const { stdout } = await run('apt-get', ['indextargets', '--format', '$(REPO_URI) $(ORIGIN) $(CODENAME)', 'Created-By: Packages']);
  const mirror = stdout.split('\n').find((line) => / Debian [a-z]+$/.test(line))?.split(' ')[0];
  const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
  if (!mirror || !existsSync(keyring)) throw new Error('Expected a mirror of Debian among the package sources of this machine');

  const options = await privateApt('apt-source');
  const list = join(cacheFolder, 'apt-source/sources.list');
  await writeFile(list, `deb-src [signed-by=${keyring}] ${mirror} trixie main\n`);
  options.push('-o', `Dir::Etc::sourcelist=${list}`, '-o', 'Dir::Etc::sourceparts=/dev/null');
  await run('apt-get', [...options, 'update']);
  await run('apt-get', [...options, 'source', '--download-only', 'pgvector'], { cwd: target });
}
