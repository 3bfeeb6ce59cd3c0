import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { alternate, median, round, type Bench, type Row } from './figure.ts';
import { childrenOf, cores, cpuMsOf, startDarkroom, startSide } from './machine.ts';
import { deleteAll, upload, untilCompleted } from './client.ts';
import { otherwise, phonePictures, somePictures } from './pictures.ts';

const rounds = 5;
const warmUps = 3;
const filesPerRequest = 20;

/** Of telephones, and small ones where the work beside the pixels weighs most. */
export async function figure(bench: Bench): Promise<Row[]> {
  const { paths, kind } = await somePictures(join(bench.folder, 'pictures'));
  const phone = await phonePictures(join(bench.folder, 'phone'), paths);
  // Small ones three times over, so that the beginning and the end of a round weigh as little as they do with large ones.
  return [await compare(bench, phone, 'photographs of 12 MP'), await compare(bench, [...paths, ...paths, ...paths], kind)];
}

/** Uploads the files and waits until each is analysed. */
async function through(url: string, paths: string[]): Promise<void> {
  const requests: Promise<string[]>[] = [];
  for (let from = 0; from < paths.length; from += filesPerRequest) requests.push(upload(url, paths.slice(from, from + filesPerRequest)));
  await untilCompleted(url, (await Promise.all(requests)).flat());
}

/** From the first byte of an upload to the last completed analysis, against the same pure functions in a bare loop. */
async function compare({ folder, logFile }: Bench, paths: string[], kind: string): Promise<Row> {
  const concurrency = cores + 1;
  const loops = await Promise.all(Array.from({ length: concurrency }, () => startSide('analysis-bare', { logFile, allCpus: true })));

  const bareRound = async () => {
    const waiting = [...paths];
    const startedAt = performance.now();
    await Promise.all(loops.map(async (loop) => {
      for (let path = waiting.shift(); path; path = waiting.shift()) await loop.ask({ path });
    }));
    return { ms: performance.now() - startedAt, server: 0, compute: 0 };
  };
  const darkroom = await startDarkroom({ DATA_DIR: await mkdtemp(join(folder, 'data-')) }, { logFile, allCpus: true });
  const used = () => ({ server: cpuMsOf(darkroom.pid), compute: childrenOf(darkroom.pid).reduce((sum, pid) => sum + cpuMsOf(pid), 0) });
  const darkroomRound = async () => {
    // As other files each time, for what is stored already is not analysed again.
    const copies = await mkdtemp(join(folder, 'copies-'));
    const files = await otherwise(copies, paths);
    const before = used();
    const startedAt = performance.now();
    await through(darkroom.url, files);
    const ms = performance.now() - startedAt;
    const after = used();
    await deleteAll(darkroom.url);
    await rm(copies, { recursive: true });
    return { ms, server: after.server - before.server, compute: after.compute - before.compute };
  };
  // Not counted: the engine still compiles what they need.
  await alternate(warmUps, { bare: bareRound, darkroom: darkroomRound });

  const results = await alternate(rounds, { bare: bareRound, darkroom: darkroomRound });
  await Promise.all([darkroom, ...loops].map((side) => side.stop()));
  const perImage = (ms: number) => ms / paths.length;
  const ours = median(results.darkroom.map((result) => result.ms));
  const bare = median(results.bare.map((result) => result.ms));
  const share = (name: 'server' | 'compute') => round(perImage(median(results.darkroom.map((result) => result[name]))), 0);
  return {
    what: `upload to completed analysis, ${kind}`, ours: `${round((paths.length * 1000) / ours, 1)} images/s`, beside: `bare loop ${round((paths.length * 1000) / bare, 1)} images/s`,
    ratio: round(bare / ours), bar: '≥ 0.7', holds: bare / ours >= 0.7,
    note: `${paths.length} files, ${filesPerRequest} in a request, the default settings (PGlite, disk, ${concurrency} compute processes on ${cores} CPUs), median of ${rounds} rounds after ${warmUps} that are not counted; the processes of both sides live through all of them. The bare loop is ${concurrency} processes that call inspectImage and measureImage on the files where they lie. ` +
      `CPU time per image: compute children ${share('compute')} ms, server ${share('server')} ms (receiving, hashing and storing the bytes; the rows and events of the job, tags, colours, hashes, vector and words for search, all of it in PGlite within that process).`,
  };
}
