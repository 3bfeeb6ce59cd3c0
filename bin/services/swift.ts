import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildOnce, hasDebianTools, unpackPackages } from './debian.ts';
import { endProcess, findProgram, freePort, startProcess, waitUntilReady } from './process.ts';

const packages = ['swift-proxy', 'swift-account', 'swift-container', 'swift-object'];

/** The folder with OpenStack Swift and the Python libraries that this machine lacks: `.cache/swift`, unpacked from Debian's packages. */
async function swiftFolder(): Promise<string> {
  return buildOnce('swift', async (folder) => {
    if (!hasDebianTools()) throw new Error('Expected apt-get and dpkg to unpack OpenStack Swift but found none: it runs on Debian and Ubuntu only');
    await unpackPackages(folder, packages).catch((cause: unknown) => {
      throw new Error(`Expected the packages ${packages.join(', ')} but they could not be fetched: check the network`, { cause });
    });
  });
}

export interface SwiftServer {
  /** Where its S3 API listens; the region is us-east-1. */
  readonly endpoint: string;
  readonly accessKey: string;
  readonly secretKey: string;
  stop(): Promise<void>;
  /** Ends it the hard way (SIGKILL). */
  kill(): Promise<void>;
  /** Starts it on the same port and folder, with the same keys; what still runs is stopped first. */
  restart(): Promise<void>;
}

/** An OpenStack Swift of our own with its S3 API on loopback: one process that keeps its files in `dir`, which needs extended attributes, and ends with this one. */
export async function startSwift({ dir }: { dir: string }): Promise<SwiftServer> {
  const folder = await swiftFolder();
  const theirs = join(folder, 'usr/bin/python3');
  // Debian's modules are compiled for Debian's Python, which need not be the first on the PATH.
  const python = [theirs, '/usr/bin/python3'].find(existsSync) ?? findProgram('python3');
  if (!python) throw new Error('Expected python3 to run OpenStack Swift but found none: run `apt-get install python3`');
  const libraries = ['usr/lib', 'lib'].map(async (parent) => {
    const names = await readdir(join(folder, parent)).catch(() => []);
    return names.filter((name) => name.includes('-linux-')).map((name) => join(folder, parent, name));
  });
  await mkdir(dir, { recursive: true });
  const port = await freePort();
  const secretKey = randomBytes(16).toString('hex');
  const endpoint = `http://127.0.0.1:${port}`;
  const logFile = join(dir, 'swift.log');
  const environment = [`PYTHONPATH=${join(folder, 'usr/lib/python3/dist-packages')}`, `LD_LIBRARY_PATH=${(await Promise.all(libraries)).flat().join(':')}`, `SWIFT_SECRET=${secretKey}`];
  const server = fileURLToPath(new URL('swift-server.py', import.meta.url));

  const start = async () => {
    const child = startProcess('/usr/bin/env', [...environment, python, server, dir, String(port)], { cwd: dir, logFile });
    await waitUntilReady('Swift', child, logFile, () => fetch(endpoint).then(() => true, () => false), 60_000);
    return child;
  };
  let child = await start();
  return {
    endpoint,
    accessKey: 'test:tester',
    secretKey,
    stop: () => endProcess(child, 'SIGTERM'),
    kill: () => endProcess(child, 'SIGKILL'),
    async restart() {
      await endProcess(child, 'SIGTERM');
      child = await start();
    },
  };
}
