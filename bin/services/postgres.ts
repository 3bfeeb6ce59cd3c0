import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, sep } from 'node:path';
import pg from 'pg';
import { pgvectorFolder } from './pgvector.ts';
import { asNobody, endProcess, findProgram, freePort, run, startProcess, waitUntilReady } from './process.ts';

/** The folder with `initdb` and `postgres` of a PostgreSQL that has pgvector: the machine's own, or one in `.cache/postgres`. */
export async function postgresFolder(): Promise<string> {
  for (const folder of await installedFolders()) {
    const { stdout } = await run(join(folder, 'pg_config'), ['--sharedir']).catch(() => ({ stdout: '' }));
    if (stdout && existsSync(join(stdout.trim(), 'extension/vector.control'))) return folder;
  }
  return pgvectorFolder();
}

async function installedFolders(): Promise<string[]> {
  const onPath = findProgram('pg_config');
  const versions = await readdir('/usr/lib/postgresql').catch(() => []);
  const debian = versions.sort((a, b) => Number(b) - Number(a)).map((version) => `/usr/lib/postgresql/${version}/bin`);
  return [...(onPath ? [join(onPath, '..')] : []), ...debian].filter((folder) => existsSync(join(folder, 'initdb')));
}

export interface PostgresServer {
  /** The database `postgres`, as its superuser. */
  readonly url: string;
  /** A database of its own, empty; gives its URL. */
  createDatabase(): Promise<string>;
  stop(): Promise<void>;
  /** Ends it the hard way (`immediate`): it recovers at the next start. */
  kill(): Promise<void>;
  /** Starts it on the same port and folder; what still runs is stopped first. */
  restart(): Promise<void>;
}

/** A Postgres with pgvector of our own on loopback, with its files in `dir`. It ends with this process, and runs as nobody where we are root. */
export async function startPostgres(options: { dir: string }): Promise<PostgresServer> {
  const programs = await postgresFolder();
  const data = join(options.dir, 'data');
  const logFile = join(options.dir, 'postgres.log');
  await mkdir(options.dir, { recursive: true });
  if (process.getuid?.() === 0) await handToNobody(options.dir);
  if (!existsSync(data)) await initialise(join(programs, 'initdb'), data);

  const port = await freePort();
  const url = (name: string) => `postgresql://postgres@127.0.0.1:${port}/${name}`;
  // Nobody asks a test's database to survive a power cut.
  const settings = ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', '', '-c', 'fsync=off'];
  const start = async () => {
    const child = startProcess(join(programs, 'postgres'), settings, { cwd: options.dir, logFile, unprivileged: true });
    await waitUntilReady('postgres', child, logFile, () => query(url('postgres'), 'SELECT 1').then(() => true, () => false));
    return child;
  };

  let child = await start();
  return {
    url: url('postgres'),
    async createDatabase() {
      const name = `darkroom_${randomUUID().replaceAll('-', '')}`;
      await query(url('postgres'), `CREATE DATABASE ${name}`);
      return url(name);
    },
    stop: () => endProcess(child, 'SIGINT'),
    kill: () => endProcess(child, 'SIGQUIT'),
    async restart() {
      await endProcess(child, 'SIGINT');
      child = await start();
    },
  };
}

/** mkdtemp makes folders that only we may pass; the temporary ones on the way are opened for passing. */
async function handToNobody(folder: string): Promise<void> {
  await chown(folder, 65534, 65534);
  for (let parent = dirname(folder); parent.startsWith(tmpdir() + sep); parent = dirname(parent)) await chmod(parent, 0o711);
}

async function initialise(initdb: string, data: string): Promise<void> {
  const command = [initdb, '-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale', process.platform === 'linux' ? 'C.UTF-8' : 'C', '--no-sync'];
  const [program = initdb, ...rest] = process.getuid?.() === 0 ? ['setpriv', ...asNobody, ...command] : command;
  await run(program, rest).catch((cause: unknown) => {
    throw new Error(`initdb could not make a database in ${data}. Where this runs as root, the user nobody must be able to reach that folder and ${initdb}.`, { cause });
  });
}

async function query(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2000 });
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query(sql);
  } finally {
    await client.end();
  }
}
