import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { WebSocket } from 'ws';
import { alternate, quantile, round, type Bench, type Row } from './figure.ts';
import { startDarkroom, startSide } from './machine.ts';
import { startRunningJob } from './running-job.ts';

const rounds = 9;
const events = 300;
const pauseMs = 15;

/** Milliseconds of the clock that all processes of a machine share. */
const sharedNow = () => Number(process.hrtime.bigint()) / 1e6;

/** From the ring of a worker to the message at a subscriber, through Redis, the API process and the database. */
export async function figure({ folder, logFile, postgres, redis }: Bench): Promise<Row[]> {
  const databaseUrl = await (await postgres()).createDatabase();
  const redisUrl = (await redis()).url;
  const darkroom = await startDarkroom({ DATABASE_URL: databaseUrl, REDIS_URL: redisUrl, ROLE: 'api', DATA_DIR: join(folder, 'data') }, { logFile });
  const peer = await startSide('events-redis', { environment: { REDIS_URL: redisUrl }, logFile });
  const publisher = new Redis(redisUrl);

  const throughRedis = async () => {
    const rungAt: number[] = [];
    for (let k = 0; k < events; k++) {
      rungAt.push(sharedNow());
      await publisher.publish('bare', String(k));
      await sleep(pauseMs);
    }
    const heardAt = await peer.ask<number[]>({ events });
    return heardAt.map((at, k) => at - rungAt[k]!);
  };
  const throughDarkroom = async () => {
    const job = await startRunningJob({ databaseUrl, redisUrl });
    const socket = new WebSocket(`${darkroom.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
    await once(socket, 'open');
    socket.send('{"type":"connection_init"}');
    await once(socket, 'message');
    socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query: 'subscription ($id: ID!) { job(id: $id) { status progress stage } }', variables: { id: job.globalId } } }));
    await once(socket, 'message');
    const delays: number[] = [];
    for (let k = 0; k < events; k++) {
      const heard = once(socket, 'message').then(() => performance.now());
      const rungAt = await job.advance();
      delays.push((await heard) - rungAt);
      await sleep(pauseMs);
    }
    socket.terminate();
    await job.close();
    return delays;
  };
  try {
    await throughDarkroom();
    await throughRedis();
    const results = await alternate(rounds, { darkroom: throughDarkroom, redis: throughRedis });
    const at = (name: keyof typeof results, share: number) => quantile(results[name].flat(), share);
    const ratio = at('darkroom', 0.99) / at('redis', 0.99);
    return [
      {
        what: 'progress event across processes, p99', ours: `${round(at('darkroom', 0.99), 1)} ms`, beside: `Redis pub/sub ${round(at('redis', 0.99), 1)} ms`, ratio: round(ratio), bar: 'within 3×', holds: ratio <= 3,
        note: `From the doorbell of a process that has written a job's progress to the answer of \`subscription { job }\` at a client, ${rounds * events} events ${pauseMs} ms apart. Each reads the row: a bell is not believed. The peer is PUBLISH to a process that subscribes to Redis and does nothing else, on the same CPU; its delay ends when it has heard. p50: Darkroom ${round(at('darkroom', 0.5), 1)} ms, Redis ${round(at('redis', 0.5), 2)} ms.`,
      },
    ];
  } finally {
    await publisher.quit();
    await peer.stop();
    await darkroom.stop();
  }
}
