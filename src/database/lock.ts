import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, readlink, realpath, rename, rm, stat } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { hostname } from 'node:os';

/** Who has a folder: the content of `<folder>.lock`. What this system cannot tell is absent. */
interface Owner {
  pid: number;
  host: string;
  /** The installation, because host names repeat. */
  machine?: string;
  /** This run of the kernel. */
  boot?: string;
  /** The network namespace: an abstract socket is seen inside one only. */
  network?: string;
  /** A socket beside the folder, which other containers on the same kernel can knock at. */
  door?: string;
}

/**
 * Takes a folder for this process alone and gives the function that lets go; where another has it, says who. Sockets hold it, which
 * the kernel closes with their process: a killed owner frees it at once, and one that is only slow or stopped keeps it.
 */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  // Other users of the machine are strangers too.
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = await realpath(folder);
  const file = `${path}.lock`;
  const sockets: Server[] = [];
  try {
    if (process.platform === 'linux') {
      const { dev, ino } = await stat(path, { bigint: true });
      sockets.push(await listen(`\0darkroom-${dev}-${ino}`).catch(async (error: unknown) => refuse(path, (await readOwner(file))?.owner, error)));
    }
    const previous = await readOwner(file);
    const self = await describeSelf();
    if (previous && (await mayLive(previous.owner, self))) refuse(path, previous.owner);

    // Open before the file names it, so that whoever reads the file finds it open. Not every file system has sockets.
    const door = `${path}.${randomUUID().slice(0, 8)}.sock`;
    const opened = Buffer.byteLength(door) < 104 ? await listen(door).catch(() => undefined) : undefined;
    if (opened) sockets.push(opened);
    if (previous) await removeStale(path, file, previous);
    await writeOwner(path, file, { ...self, ...(opened && { door }) });
  } catch (error) {
    await closeAll(sockets);
    throw error;
  }
  return async () => {
    await rm(file, { force: true });
    await closeAll(sockets);
  };
}

/** Doubt counts as life. */
async function mayLive(owner: Owner, self: Owner): Promise<boolean> {
  const sameHost = owner.host === self.host && owner.machine === self.machine;
  if (owner.boot !== self.boot) return !sameHost;
  // In our network namespace its abstract socket would have stopped us.
  if (owner.boot && owner.network && owner.network === self.network) return false;
  if (owner.door && (owner.boot || sameHost)) return (await knock(owner.door)) !== 'ECONNREFUSED';
  return !sameHost || owner.boot !== undefined || isRunning(owner.pid);
}

function refuse(path: string, owner: Owner | undefined, cause?: unknown): never {
  const here = owner?.host === hostname();
  const who = owner ? `process ${owner.pid}${here ? '' : ` on host "${owner.host}"`}` : 'another process';
  const help = here || !owner ? 'Stop that process' : `Stop that process or, if it is certainly gone, delete ${path}.lock`;
  throw new Error(`The database folder ${path} is in use by ${who}, and it belongs to one process at a time. ${help}, or set DATABASE_URL so that several can share a Postgres.`, { cause });
}

async function describeSelf(): Promise<Owner> {
  const [machine, boot, network] = await Promise.all([
    readFile('/etc/machine-id', 'utf8').catch(() => ''),
    readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => ''),
    readlink('/proc/self/ns/net').catch(() => ''),
  ]);
  return { pid: process.pid, host: hostname(), machine: machine.trim() || undefined, boot: boot.trim() || undefined, network: network || undefined };
}

async function readOwner(file: string): Promise<{ text: string; owner: Owner } | undefined> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  try {
    return { text, owner: JSON.parse(text) as Owner };
  } catch (cause) {
    throw new Error(`Expected ${file} to name the owner of the database folder but it cannot be read. If no Darkroom runs on this folder, delete it.`, { cause });
  }
}

/** Moves it away before deleting it, to see whether it is still the one that was judged and not a newcomer's. */
async function removeStale(path: string, file: string, previous: { text: string; owner: Owner }): Promise<void> {
  const aside = `${file}.${randomUUID()}`;
  await rename(file, aside).catch(() => refuse(path, undefined));
  if ((await readFile(aside, 'utf8')) !== previous.text) {
    await rename(aside, file);
    refuse(path, undefined);
  }
  await rm(aside);
  if (previous.owner.door) await rm(previous.owner.door, { force: true });
}

async function writeOwner(path: string, file: string, owner: Owner): Promise<void> {
  const handle = await open(file, 'wx').catch((error: unknown) => refuse(path, undefined, error));
  await handle.writeFile(`${JSON.stringify(owner)}\n`);
  await handle.sync();
  await handle.close();
}

function listen(address: string): Promise<Server> {
  const server = createServer((socket) => socket.destroy()).unref();
  return new Promise((resolve, reject) => server.once('error', reject).listen(address, () => resolve(server)));
}

/** How the door answers: undefined when somebody is there. */
function knock(door: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(door, () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code));
  });
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

const closeAll = (servers: Server[]) => Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve)))).then(() => {});
