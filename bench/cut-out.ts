import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { type CutOut, cutOut } from '../src/compute/cut-out/index.ts';
import { ProviderError } from '../src/errors.ts';
import { composeScene, groundNames, intersectionOverUnion, subjectNames } from '../test/cut-out-scenes.ts';

// How good and how dear a cut-out without weights is, in this one process: `npx tsx bench/cut-out.ts`.
// Limits: 2 s for each picture of 1 to 2 MP on one core, 400 MB for the whole process. Time is that of the processor, so that a busy machine does not change it.

const limits = { maxSide: 16384, maxPixels: 64e6, maxAvifPixels: 32e6, maxFrames: 1000 };
const folder = await mkdtemp(join(tmpdir(), 'bench-cut-out-'));

async function run(path: string): Promise<{ result: CutOut | null; cpuMs: number }> {
  const before = process.cpuUsage();
  const result = await cutOut({ path, limits, options: { output: 'BOTH', format: 'WEBP', background: null, trim: false, padding: 0, aspectRatio: null, feather: 0, shadow: false, crop: null }, outputFolder: folder, model: null }, () => {}).catch((error: unknown) => {
    if (error instanceof ProviderError && error.code === 'NO_SUBJECT') return null;
    throw error;
  });
  const { user, system } = process.cpuUsage(before);
  return { result, cpuMs: (user + system) / 1000 };
}

const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const peakMb = () => Math.round(process.resourceUsage().maxRSS / 1024);

console.log('composed, 1200 x 900     IoU mean  median  >= .8  confidence  CPU ms mean  worst');
for (const ground of groundNames) {
  const shares: number[] = [], times: number[] = [], confidences: number[] = [];
  for (const name of subjectNames) {
    const scene = await composeScene(name, ground, 1200, 900);
    const path = join(folder, 'picture.jpg');
    await writeFile(path, await sharp(scene.png).jpeg({ quality: 88 }).toBuffer());
    const { result, cpuMs } = await run(path);
    const mask = result?.files.find(({ kind }) => kind === 'mask');
    shares.push(mask ? intersectionOverUnion(await sharp(mask.path).extractChannel(0).raw().toBuffer(), scene.truth) : 0);
    confidences.push(result?.confidence ?? 0);
    times.push(cpuMs);
  }
  const sorted = [...shares].sort((one, other) => one - other);
  const columns = [mean(shares).toFixed(3), sorted[sorted.length >> 1]!.toFixed(3), `${Math.round((100 * shares.filter((share) => share >= 0.8).length) / shares.length)} %`, mean(confidences).toFixed(2), mean(times).toFixed(0), Math.max(...times).toFixed(0)];
  console.log(ground.padEnd(25), columns.map((column, i) => column.padEnd([10, 8, 7, 12, 13, 6][i]!)).join(''));
}

for (const name of ['cutout-photos', 'photos']) {
  const photos = fileURLToPath(new URL(`../../shared/data/${name}`, import.meta.url));
  if (!existsSync(photos)) continue;
  const perMegapixel: number[] = [], times: number[] = [];
  let without = 0;
  for (const file of await readdir(photos)) {
    const path = join(photos, file);
    const { width, height } = await sharp(path).metadata();
    const { result, cpuMs } = await run(path);
    if (!result) without++;
    times.push(cpuMs);
    if (width * height > 0.9e6 && width * height < 2.1e6) perMegapixel.push(cpuMs);
  }
  console.log(`${name}: ${times.length} pictures, ${without} without a subject; CPU ms mean ${mean(times).toFixed(0)}, worst ${Math.max(...times).toFixed(0)}; of 0.9 to 2.1 MP: mean ${mean(perMegapixel).toFixed(0)}, worst ${Math.max(...perMegapixel).toFixed(0)} (${perMegapixel.length} pictures)`);
}
console.log(`peak resident memory of the process: ${peakMb()} MB`);
await rm(folder, { recursive: true });
