import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import type { CutOut, CutOutInput } from '../src/compute/cut-out/index.ts';
import { plane } from '../src/compute/cut-out/plane.ts';
import { labPlanes } from '../src/compute/cut-out/saliency.ts';
import { segment } from '../src/compute/cut-out/segment.ts';
import { type Compute, createCompute } from '../src/compute/pool.ts';
import { ProviderError } from '../src/errors.ts';
import { createLog } from '../src/log.ts';
import { composedPictures, groundNames, type KnownPicture, photos, truthOf } from './cut-out-truth.ts';
import { limits, modelRows, options } from './cut-out-model.ts';
import { type Bench, median, round, type Row } from './figure.ts';
import { childrenOf, cpuMsOf, useAllCpus } from './machine.ts';
import { outlines } from './outlines.ts';
import { somePictures } from './pictures.ts';

/** What this method was first measured at, on other pictures: mean and median of intersection over union. */
const bars: Record<string, [mean: number, median: number]> = { plain: [0.906, 0.94], bokeh: [0.774, 0.867], clutter: [0.53, 0.54] };

export async function figure(bench: Bench): Promise<Row[]> {
  useAllCpus();
  return [...(existsSync(photos) ? await qualityRows(bench) : []), ...(await speedRows(bench)), ...(await modelRows(bench))];
}

async function qualityRows({ folder }: Bench): Promise<Row[]> {
  const compute = createCompute({ processes: 1, memoryLimitBytes: 400e6, log: createLog('silent') });
  const rows: Row[] = [];
  for (const ground of groundNames) rows.push(await quality(compute, folder, `before a ${ground} background`, composedPictures(ground), bars[ground]!));
  rows.push(await quality(compute, folder, 'of photographs', (async function* () { for (const name of Object.keys(outlines)) yield truthOf(name); })(), null));
  await compute.close();
  return rows;
}

/** How well masks agree with the truth, beside the usual recipe: GrabCut from a rectangle in the middle. Where there is no earlier figure, the recipe is the bar. */
async function quality(compute: Compute, folder: string, what: string, pictures: AsyncIterable<KnownPicture>, bar: [number, number] | null): Promise<Row> {
  const ours: number[] = [];
  const recipe: number[] = [];
  for await (const { picture, width, height, truth } of pictures) {
    const outputFolder = await mkdtemp(join(folder, 'cut-out-'));
    const path = join(outputFolder, 'input');
    await writeFile(path, picture);
    const [result, guess] = await Promise.all([
      cutOut(compute, { path, limits, outputFolder, model: null, options: { ...options, output: 'MASK', trim: false } }),
      fromRectangle(picture, width, height),
    ]);
    ours.push(result ? agreement(await sharp(result.files[0]!.path).extractChannel(0).raw().toBuffer(), truth) : 0);
    recipe.push(agreement(guess, truth));
  }
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const print = (values: number[]) => `${round(mean(values), 3)} mean, ${round(median(values), 3)} median`;
  return {
    what: `local cut-out ${what}, IoU`, ours: print(ours), beside: `GrabCut from a rectangle: ${print(recipe)}`, ratio: round(mean(ours) / mean(recipe)),
    bar: bar ? `at least ${bar[0]} mean, ${bar[1]} median` : 'better than the rectangle',
    holds: bar ? mean(ours) >= bar[0] && median(ours) >= bar[1] : mean(ours) > mean(recipe) && median(ours) > median(recipe),
    note: `${ours.length} pictures, ${Math.round((100 * ours.filter((share) => share >= 0.8).length) / ours.length)} % of them above 0.8. The truth is drawn by hand (bench/outlines.ts); no picture without a subject found is left out, it counts as 0.`,
  };
}

async function cutOut(compute: Compute, input: CutOutInput): Promise<CutOut | null> {
  return compute.run('cutOut', input, { timeoutMs: 120_000 }).then(({ output }) => output, (error: unknown) => {
    if (error instanceof ProviderError && error.code === 'NO_SUBJECT') return null;
    throw error;
  });
}

function agreement(mask: Uint8Array, truth: Uint8Array): number {
  let both = 0, either = 0;
  for (let i = 0; i < truth.length; i++) {
    const [first, second] = [mask[i]! > 127, truth[i]! > 127];
    if (first && second) both++;
    if (first || second) either++;
  }
  return both / either;
}

async function fromRectangle(picture: Buffer, width: number, height: number): Promise<Uint8Array> {
  const { data, info } = await sharp(picture).removeAlpha().resize(384, 384, { fit: 'inside' }).raw().toBuffer({ resolveWithObject: true });
  const rectangle = plane(info.width, info.height);
  for (let y = 0, i = 0; y < info.height; y++) for (let x = 0; x < info.width; x++, i++) {
    const isInside = Math.abs(x / info.width - 0.5) < 0.4 && Math.abs(y / info.height - 0.5) < 0.4;
    rectangle.data[i] = isInside ? 0.5 : 0;
  }
  const { mask } = segment(labPlanes({ width: info.width, height: info.height, channels: 3, data }), rectangle);
  return sharp(Uint8Array.from(mask.data, (value) => value * 255), { raw: { width: info.width, height: info.height, channels: 1 } }).resize(width, height, { fit: 'fill' }).extractChannel(0).raw().toBuffer();
}

export async function speedRows({ folder }: Bench): Promise<Row[]> {
  const { paths, kind } = await somePictures(join(folder, 'pictures'));
  const pictures = await atOneAndAHalfMegapixels(join(folder, 'to-cut-out'), paths);
  const compute = createCompute({ processes: 2, memoryLimitBytes: 600e6, log: createLog('silent') });
  const outputFolder = await mkdtemp(join(folder, 'cut-out-'));
  const run = (path: string) => compute.run('cutOut', { path, limits, outputFolder, model: null, options }, { timeoutMs: 120_000 }).catch((error: unknown) => {
    if (error instanceof ProviderError && error.code === 'NO_SUBJECT') return null;
    throw error;
  });
  const used = () => childrenOf(process.pid).reduce((sum, pid) => sum + cpuMsOf(pid), 0);
  await Promise.all(pictures.slice(0, 4).map(run));

  let peak = 0;
  const times: number[] = [];
  for (const path of pictures) {
    const before = used();
    const result = await run(path);
    times.push(used() - before);
    peak = Math.max(peak, result?.peakRssBytes ?? 0);
  }
  const startedAt = performance.now();
  await Promise.all(pictures.map(run));
  const perMinute = (pictures.length * 60_000) / (performance.now() - startedAt);
  await compute.close();
  const worst = Math.max(...times);
  const note = `${pictures.length} ${kind}, each at 1.5 MP; JPEG in, trimmed PNG out.`;
  return [
    { what: 'local cut-out of 1.5 MP, processor time', ours: `${round(median(times), 0)} ms, worst ${round(worst, 0)} ms`, beside: '2000 ms', ratio: round(worst / 2000), bar: 'each at most 2 s', holds: worst <= 2000, note },
    { what: 'resident memory of a child that cuts out', ours: `${round(peak / 1e6, 0)} MB`, beside: '400 MB', ratio: round(peak / 400e6), bar: 'under 400 MB', holds: peak < 400e6, note },
    { what: 'local cut-outs on two children', ours: `${round(perMinute, 0)} images/min`, beside: '40 images/min', ratio: round(perMinute / 40), bar: 'at least 40', holds: perMinute >= 40, note },
  ];
}

async function atOneAndAHalfMegapixels(folder: string, sources: readonly string[]): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  return Promise.all(sources.map(async (source, index) => {
    const path = join(folder, `${index}.jpg`);
    await sharp(source).autoOrient().resize(1500, 1000, { fit: 'cover' }).flatten().jpeg({ quality: 90 }).toFile(path);
    return path;
  }));
}
