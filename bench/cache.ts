import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { drawSample } from '../src/compute/draw.ts';
import { ask, untilCompleted, upload } from './client.ts';
import { median, quantile, round, type Bench, type Row } from './figure.ts';
import { cpuMsOf, startDarkroom, type RunningDarkroom } from './machine.ts';

const limitMs = 20;
const requests = 200;
const warmUp = 20;
const start = 'mutation ($id: ID!) { removeBackground(imageId: $id, options: { waitMs: 30000 }) { status cacheHit outputs { id } } }';

/** The same cut-out asked for again and again: completed at once from what was kept. */
export async function figure({ folder, logFile, postgres }: Bench): Promise<Row[]> {
  const picture = join(folder, 'mug.jpg');
  await writeFile(picture, await drawSample('yellow-mug-on-white.jpg', { width: 640 }));
  const embedded = { DATA_DIR: join(folder, 'cache-embedded') };
  const server = { DATA_DIR: join(folder, 'cache-postgres'), DATABASE_URL: await (await postgres()).createDatabase() };
  const rows: Row[] = [];
  for (const [where, environment] of [['PGlite', embedded], ['Postgres', server]] as const) {
    const darkroom = await startDarkroom(environment, { logFile });
    try {
      const { median: middle, slow, cpuMs } = await measure(darkroom, picture);
      rows.push({
        what: `a cached answer, ${where}`, ours: `${round(middle, 1)} ms`, beside: `${limitMs} ms`, ratio: round(middle / limitMs), bar: `under ${limitMs} ms`, holds: middle < limitMs,
        note: `removeBackground of a picture that was cut out before, over HTTP, one after the other: ${requests} requests, each with a new job that is completed, its events and its outputs; the median, with client and network in it. 95 of 100 came within ${round(slow, 1)} ms; each took ${round(cpuMs, 1)} ms of the processor in Darkroom${where === 'PGlite' ? ', its database included' : ''}.`,
      });
    } finally {
      await darkroom.stop();
    }
  }
  return rows;
}

async function measure({ url, pid }: RunningDarkroom, picture: string): Promise<{ median: number; slow: number; cpuMs: number }> {
  await untilCompleted(url, await upload(url, [picture]));
  const { images } = await ask<{ images: { nodes: { id: string }[] } }>(url, '{ images(first: 1) { nodes { id } } }');
  const id = images.nodes[0]?.id;
  const cutOut = async () => (await ask<{ removeBackground: { status: string; cacheHit: boolean } }>(url, start, { id })).removeBackground;
  const first = await cutOut();
  if (first.status !== 'COMPLETED' || first.cacheHit) throw new Error(`Expected a cut-out that is not from the cache but received ${JSON.stringify(first)}`);
  const times: number[] = [];
  let cpuBefore = 0;
  for (let request = 0; request < requests + warmUp; request++) {
    if (request === warmUp) cpuBefore = cpuMsOf(pid);
    const from = performance.now();
    const { status, cacheHit } = await cutOut();
    times.push(performance.now() - from);
    if (status !== 'COMPLETED' || !cacheHit) throw new Error(`Expected a cached answer but received ${status}`);
  }
  const warm = times.slice(warmUp);
  return { median: median(warm), slow: quantile(warm, 0.95), cpuMs: (cpuMsOf(pid) - cpuBefore) / requests };
}
