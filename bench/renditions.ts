import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../bin/services/process.ts';
import { ask, untilCompleted, upload } from './client.ts';
import { alternate, median, round, thousands, type Bench, type Row } from './figure.ts';
import { loadHttp } from './http-load.ts';
import { childrenOf, cpuMsOf, startDarkroom, startSide } from './machine.ts';
import { phonePictures, somePictures } from './pictures.ts';

const sizes = 100;
const processes = 2;
const rounds = 3;
const connections = 20;
const seconds = 4;

interface Wanted {
  url: string;
  width: number;
  height: number;
}

/** Pictures made at many sizes beside sharp alone, and one that is kept beside a file. */
export async function figure(bench: Bench): Promise<Row[]> {
  const { paths } = await somePictures(join(bench.folder, 'pictures'));
  const phone = await phonePictures(join(bench.folder, 'phone'), paths.slice(0, 1));
  return [await making(bench, phone[0]!, 'a photograph of 12 MP'), await making(bench, paths[0]!, 'a small picture'), ...(await serving(bench, paths[0]!))];
}

const start = ({ folder, logFile }: Bench, name: string, allCpus: boolean) =>
  startDarkroom({ DATA_DIR: join(folder, name), COMPUTE_PROCESSES: String(processes) }, { logFile, allCpus });

/** Signed URLs of the newest image, one for each width. */
async function wantedOf(url: string, widths: number[], quality: number): Promise<Wanted[]> {
  const fields = widths.map((width) => `w${width}: rendition(width: ${width}, format: WEBP, quality: ${quality}) { url width height }`);
  const { images } = await ask<{ images: { nodes: Record<string, Wanted>[] } }>(url, `{ images(first: 1) { nodes { ${fields.join(' ')} } } }`);
  return Object.values(images.nodes[0]!);
}

async function making(bench: Bench, path: string, kind: string): Promise<Row> {
  const darkroom = await start(bench, `data-${kind.length}`, true);
  const loops = await Promise.all(Array.from({ length: processes }, () => startSide('renditions-bare', { logFile: bench.logFile, allCpus: true })));
  try {
    await untilCompleted(darkroom.url, await upload(darkroom.url, [path]));
    const widths = Array.from({ length: sizes }, (_, index) => 64 + index * 10);
    const folder = join(bench.folder, 'bare');
    await mkdir(folder, { recursive: true });

    const timed = async (pids: number[], work: () => Promise<unknown>) => {
      const cpu = () => pids.reduce((sum, pid) => sum + cpuMsOf(pid), 0);
      const [before, startedAt] = [cpu(), performance.now()];
      await work();
      return { ms: performance.now() - startedAt, cpuMs: cpu() - before };
    };
    // Each round has a quality of its own, so that nothing of the rounds before is kept.
    const qualities = { bare: 80, darkroom: 80 };
    const bareRound = async () => {
      const quality = qualities.bare--;
      const waiting = await wantedOf(darkroom.url, widths, quality);
      return timed(loops.map(({ pid }) => pid), () => Promise.all(loops.map(async (loop) => {
        for (let next = waiting.shift(); next; next = waiting.shift()) await loop.ask({ ...next, source: path, target: join(folder, `${next.width}.webp`), quality });
      })));
    };
    const darkroomRound = async () => {
      const wanted = await wantedOf(darkroom.url, widths, qualities.darkroom--);
      return timed([darkroom.pid, ...childrenOf(darkroom.pid)], () => Promise.all(wanted.map(({ url }) => fetchWhole(url))));
    };
    await bareRound();
    await darkroomRound();
    const results = await alternate(rounds, { bare: bareRound, darkroom: darkroomRound });
    const middle = (side: keyof typeof results, what: 'ms' | 'cpuMs') => median(results[side].map((result) => result[what])) / sizes;
    const ratio = middle('darkroom', 'cpuMs') / middle('bare', 'cpuMs');
    return {
      what: `${sizes} sizes of ${kind}`, ours: `${round(middle('darkroom', 'cpuMs'), 1)} ms of CPU each`, beside: `bare sharp ${round(middle('bare', 'cpuMs'), 1)} ms`, ratio: round(ratio), bar: '≤ 1.3', holds: ratio <= 1.3,
      note: `WebP, ${processes} at a time on all CPUs, all asked for at once, median of ${rounds} alternated rounds, nothing of it kept before. CPU of the server and its compute children, against ${processes} processes that call sharp with the same settings on the file where it lies. ` +
        `By the clock ${round(middle('darkroom', 'ms'), 1)} ms each against ${round(middle('bare', 'ms'), 1)} ms (${round(middle('darkroom', 'ms') / middle('bare', 'ms'))}).`,
    };
  } finally {
    for (const side of [darkroom, ...loops]) await side.stop();
  }
}

async function serving(bench: Bench, path: string): Promise<Row[]> {
  const darkroom = await start(bench, 'data-serving', false);
  const folder = join(bench.folder, 'static');
  const port = await freePort();
  await mkdir(folder);
  const peer = await startSide('static-files', { environment: { FOLDER: folder, PORT: String(port) }, logFile: bench.logFile });
  try {
    const rows: Row[] = [];
    await untilCompleted(darkroom.url, await upload(darkroom.url, [path]));
    for (const wanted of await wantedOf(darkroom.url, [320, 960], 80)) {
      const bytes = await fetchWhole(wanted.url);
      await writeFile(join(folder, `${wanted.width}.webp`), bytes);
      const measure = async (url: string, pid: number, time: number) => {
        const before = cpuMsOf(pid);
        const load = await loadHttp(url, null, { connections, seconds: time });
        return { rate: load.requestsPerSecond, cpuUs: ((cpuMsOf(pid) - before) * 1000) / (load.requestsPerSecond * time) };
      };
      const ours = (time: number) => measure(wanted.url.replace('localhost', '127.0.0.1'), darkroom.pid, time);
      const file = (time: number) => measure(`http://127.0.0.1:${port}/${wanted.width}.webp`, peer.pid, time);
      await ours(2);
      await file(2);
      const results = await alternate(rounds, { darkroom: () => ours(seconds), file: () => file(seconds) });
      const middle = (side: keyof typeof results, what: 'rate' | 'cpuUs') => median(results[side].map((result) => result[what]));
      const ratio = middle('darkroom', 'cpuUs') / middle('file', 'cpuUs');
      rows.push({
        what: `a kept rendition of ${round(bytes.length / 1000, 0)} kB`, ours: `${thousands(middle('darkroom', 'cpuUs'))} µs of CPU, ${thousands(middle('darkroom', 'rate'))}/s`,
        beside: `static file ${thousands(middle('file', 'cpuUs'))} µs, ${thousands(middle('file', 'rate'))}/s`, ratio: round(ratio), bar: '≤ 1.5', holds: ratio <= 1.5,
        note: `The peer is node:http with stat and readFile, an ETag and four headers; it verifies no signature and asks for no row. Compared by CPU time, because on a machine with others the load waits for its turn more than for either. ${connections} connections, median of ${rounds} alternated rounds of ${seconds} s.`,
      });
    }
    return rows;
  } finally {
    await darkroom.stop();
    await peer.stop();
  }
}

async function fetchWhole(url: string): Promise<Buffer> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`Expected a rendition but received ${response.status}: ${await response.text()}`);
  return Buffer.from(await response.arrayBuffer());
}
