import { once } from 'node:events';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { WebSocket } from 'ws';
import { freePort } from '../bin/services/process.ts';
import { alternate, median, round, thousands, type Bench, type Row } from './figure.ts';
import { cpuMsOf, memoryOf, hasProc, startDarkroom, startSide } from './machine.ts';
import { startRunningJob } from './running-job.ts';

const sockets = 1_000;
const events = 50;
const rounds = 9;
/** What has not come by then is not counted. */
const atMostMs = 10_000;
const query = 'subscription ($ids: [ID!]) { jobEvents(jobIds: $ids) { seq status progress stage attempt } }';

/** One viewer's job, watched through a thousand sockets: fifty events to all of them, as fast as they come. */
export async function figure({ folder, logFile, postgres, redis }: Bench): Promise<Row[]> {
  const databaseUrl = await (await postgres()).createDatabase();
  const redisUrl = (await redis()).url;
  const environment = { DATABASE_URL: databaseUrl, REDIS_URL: redisUrl, DATA_DIR: join(folder, 'data') };
  const darkroom = await startDarkroom(environment, { logFile });
  const port = await freePort();
  const bare = await startSide('sockets-bare', { environment: { ...environment, PORT: String(port) }, logFile });
  const publisher = new Redis(redisUrl);

  const throughDarkroom = async () => {
    const job = await startRunningJob({ databaseUrl, redisUrl });
    const subscribe = JSON.stringify({ id: '1', type: 'subscribe', payload: { query, variables: { ids: [job.globalId] } } });
    const all = await openSockets(`${darkroom.url.replace('http', 'ws')}/graphql`, async (socket) => {
      const acknowledged = hear(socket, 1);
      socket.send('{"type":"connection_init"}');
      await acknowledged;
      const history = hear(socket, 2); // PENDING and PROCESSING have been
      socket.send(subscribe);
      const [first] = await history;
      if (!first!.includes('"next"')) throw new Error(`Expected an event but received ${first}`);
    });
    const result = await count(all, darkroom.pid, async () => {
      for (let k = 0; k < events; k++) await job.advance();
    });
    await job.close();
    return result;
  };
  const throughBare = async () => {
    const job = await startRunningJob({ databaseUrl, redisUrl });
    const text = JSON.stringify({ id: '1', type: 'next', payload: { data: { jobEvents: { seq: 12, status: 'PROCESSING', progress: 10, stage: 'step 10', attempt: 1 } } } });
    const all = await openSockets(`ws://127.0.0.1:${port}`, async () => {});
    const result = await count(all, bare.pid, async () => {
      for (let k = 0; k < events; k++) {
        await job.advance();
        await publisher.publish('bare', text);
      }
    });
    await job.close();
    return result;
  };
  try {
    const results = await alternate(rounds, { darkroom: throughDarkroom, bare: throughBare });
    const rate = (name: keyof typeof results) => median(results[name].map((result) => result.perSecond));
    const cpu = (name: keyof typeof results) => median(results[name].map((result) => result.cpuMs)) / 1000;
    const memory = hasProc ? `, resident ${round(memoryOf(darkroom.pid).peak / 1e6, 0)} MB at the most` : '';
    return [
      {
        what: `${thousands(sockets)} graphql-ws sockets × ${events} events`, ours: `${thousands(rate('darkroom'))} messages/s`, beside: `bare ws ${thousands(rate('bare'))} messages/s`,
        ratio: round(rate('darkroom') / rate('bare')), bar: '≥ 0.5', holds: rate('darkroom') / rate('bare') >= 0.5,
        note: `One viewer's \`jobEvents\` over ${thousands(sockets)} sockets; a process elsewhere writes ${events} events to Postgres one after the other and rings in Redis, and every socket must receive each. The peer hears the same writes and sends one ready string to all its sockets; it reads no database and knows no viewer. ` +
          `CPU of the server for all messages: Darkroom ${round(cpu('darkroom'))} s, bare ws ${round(cpu('bare'))} s${memory}.`,
      },
    ];
  } finally {
    await publisher.quit();
    await bare.stop();
    await darkroom.stop();
  }
}

/** The next messages. Several come with one read of the socket, so they are counted and not awaited one by one. */
function hear(socket: WebSocket, wanted: number): Promise<string[]> {
  const messages: string[] = [];
  return new Promise((resolve, reject) => {
    socket.once('close', () => reject(new Error('The server closed a socket')));
    socket.on('message', function listen(data: Buffer) {
      if (messages.push(data.toString()) < wanted) return;
      socket.off('message', listen);
      resolve(messages);
    });
  });
}

async function openSockets(url: string, greet: (socket: WebSocket) => Promise<void>): Promise<WebSocket[]> {
  const all: WebSocket[] = [];
  const open = async () => {
    const socket = new WebSocket(url, 'graphql-transport-ws', { perMessageDeflate: false });
    await once(socket, 'open');
    await greet(socket);
    all.push(socket);
  };
  while (all.length < sockets) await Promise.all(Array.from({ length: 50 }, open));
  return all;
}

/** Counts what all sockets receive from the start of `work` until nothing is missing, or until the time is up. */
async function count(all: WebSocket[], pid: number, work: () => Promise<void>): Promise<{ perSecond: number; cpuMs: number }> {
  let received = 0;
  let timer: NodeJS.Timeout | undefined;
  const complete = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, atMostMs);
    for (const socket of all) socket.on('message', () => ++received === sockets * events && resolve());
  });
  const cpuBefore = cpuMsOf(pid);
  const startedAt = performance.now();
  await Promise.all([work(), complete]);
  const ms = performance.now() - startedAt;
  clearTimeout(timer);
  const cpuMs = cpuMsOf(pid) - cpuBefore;
  for (const socket of all) socket.terminate();
  return { perSecond: (received * 1000) / ms, cpuMs };
}
