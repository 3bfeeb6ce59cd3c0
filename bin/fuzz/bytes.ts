import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { drawSample, sampleNames } from '../../src/compute/draw.ts';
import type { Random } from './random.ts';

/** Whole pictures to begin with: those of a folder that are small, or drawn ones, in every format that can be written. */
export async function readPictures(folder: string | undefined): Promise<Buffer[]> {
  if (folder) {
    const names = (await readdir(folder, { recursive: true })).filter((name) => /\.(jpe?g|png|webp|gif|tiff?|avif|bmp)$/i.test(name)).sort();
    const pictures = await Promise.all(names.slice(0, 200).map((name) => readFile(join(folder, name))));
    const small = pictures.filter(({ length }) => length > 0 && length < 500_000);
    if (small.length > 0) return small;
    throw new Error(`Expected pictures of less than 500 KB in ${folder} but found none`);
  }
  const drawn = await Promise.all(sampleNames.slice(0, 6).map((name) => drawSample(name, { width: 160 })));
  const other = sharp(drawn[0]);
  const others = [other.clone().png(), other.clone().webp(), other.clone().gif(), other.clone().tiff(), other.clone().avif({ effort: 0 }), other.clone().withMetadata({ orientation: 6 }).jpeg({ progressive: true })];
  return [...drawn, ...(await Promise.all(others.map((image) => image.toBuffer())))];
}

/** Numbers at which lengths and counts go wrong. */
const edges = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];

/** The bytes with one to sixteen faults: most of them near the beginning, where formats say what they are. */
export function mutate(random: Random, bytes: Buffer, others: readonly Buffer[] = []): Buffer {
  let result: Buffer = Buffer.from(bytes);
  for (let faults = 1 + random.below(16); faults > 0; faults--) result = spoil(random, result, others);
  return result;
}

function spoil(random: Random, bytes: Buffer, others: readonly Buffer[]): Buffer {
  const at = random.below(random.chance(0.6) ? Math.min(bytes.length, 512) + 1 : bytes.length + 1);
  const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
  const way = random.below(8);
  if (way === 0 && bytes.length > at) bytes[at] = bytes[at]! ^ (1 << random.below(8));
  else if (way === 1 && bytes.length > at) bytes[at] = random.below(256);
  else if (way === 2 && bytes.length >= at + 4) bytes.writeUInt32BE(random.pick(edges), at);
  else if (way === 3 && bytes.length >= at + 2) bytes.writeUInt16LE(random.pick(edges) & 0xffff, at);
  else if (way === 4) return Buffer.concat([before, random.bytes(1 + random.below(64)), after]);
  else if (way === 5) return Buffer.concat([before, after.subarray(1 + random.below(64))]);
  else if (way === 6) return random.chance(0.2) ? Buffer.from(before) : Buffer.concat([before, bytes.subarray(random.below(at + 1))]).subarray(0, 2_000_000);
  else if (way === 7 && others.length > 0 && random.chance(0.3)) return Buffer.concat([before, random.pick(others).subarray(at)]);
  return bytes;
}
