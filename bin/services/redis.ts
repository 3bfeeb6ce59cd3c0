import { mkdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { buildOnce, hasDebianTools, unpackPackages, writeLauncher } from './debian.ts';
import { endProcess, findProgram, freePort, startProcess, waitUntilReady } from './process.ts';

/** A redis-server to run: the machine's own, or on Debian and Ubuntu one that is unpacked into `.cache/redis`. */
export async function redisServerPath(): Promise<string> {
  const installed = findProgram('redis-server');
  if (installed) return installed;
  if (process.platform === 'darwin') throw new Error('Expected redis-server on the PATH but found none: run `brew install redis`');
  if (!hasDebianTools()) throw new Error('Expected redis-server on the PATH but found none: install Redis with the package manager of this machine');
  try {
    const folder = await buildOnce('redis', async (folder) => {
      await unpackPackages(folder, ['redis-server', 'redis-tools']);
      await writeLauncher(folder, 'usr/bin/redis-server');
    });
    return join(folder, 'redis-server');
  } catch (error) {
    throw new Error('Expected redis-server on the PATH but found none, and its package could not be fetched: run `apt-get install redis-server` or check the network', { cause: error });
  }
}

export interface RedisServer {
  readonly url: string;
  readonly port: number;
  /** Changes with every restart. */
  readonly pid: number;
  /** Ends it in order; with `appendonly` its keys are still there after a restart. */
  stop(): Promise<void>;
  /** Ends it the hard way (SIGKILL). */
  kill(): Promise<void>;
  /** Starts it on the same port and folder; what still runs is stopped first. */
  restart(): Promise<void>;
}

/** A Redis of our own on loopback that keeps its files in `dir` and ends with this process. */
export async function startRedis(options: { dir: string; port?: number; appendonly?: boolean }): Promise<RedisServer> {
  const program = await redisServerPath();
  const port = options.port ?? (await freePort());
  const logFile = join(options.dir, 'redis.log');
  await mkdir(options.dir, { recursive: true });

  const settings = ['--bind', '127.0.0.1', '--port', String(port), '--dir', options.dir, '--daemonize', 'no', '--save', '',
    '--appendonly', options.appendonly ? 'yes' : 'no', '--maxmemory-policy', 'noeviction'];
  const start = async () => {
    const child = startProcess(program, settings, { cwd: options.dir, logFile });
    await waitUntilReady('redis-server', child, logFile, () => answersPing(port));
    return child;
  };

  let child = await start();
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    get pid() {
      return child.pid ?? 0;
    },
    stop: () => endProcess(child, 'SIGTERM'),
    kill: () => endProcess(child, 'SIGKILL'),
    async restart() {
      await endProcess(child, 'SIGTERM');
      child = await start();
    },
  };
}

/** While Redis loads its append-only file it answers "-LOADING". */
function answersPing(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    socket.setTimeout(1000, () => socket.destroy());
    socket.once('data', (answer) => {
      resolve(answer.toString().startsWith('+PONG'));
      socket.destroy();
    });
    socket.once('error', () => resolve(false));
    socket.once('close', () => resolve(false));
  });
}
