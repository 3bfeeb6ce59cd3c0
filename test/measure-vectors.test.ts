import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { drawSample, sampleNames } from '../src/compute/draw.ts';
import { hammingDistance, pdq } from '../src/compute/pdq.ts';
import type { Raster } from '../src/compute/raster.ts';
import { trimBorder } from '../src/compute/trim.ts';
import { vd1 } from '../src/compute/vd1.ts';
import { cosine, editedCopy, editNames, plain, raster512 } from './measure-edits.ts';

interface Known { name: string; raster: Raster; vector: number[]; hash: string; hashTrimmed: string }

async function know(name: string, bytes: Buffer): Promise<Known> {
  const raster = await raster512(bytes);
  const trimmed = trimBorder(raster);
  return { name, raster, vector: vd1(trimmed), hash: pdq(raster).hash, hashTrimmed: pdq(trimmed).hash };
}

interface Rates { first: number; near: number; sameHash: number }

/** Shares (0..1) of the edited copies whose own original is the nearest, has a cosine >= .90, has a hash within 31 bits. Ties count against us. */
async function search(known: Known[], queries: Known[], edit: string): Promise<Rates> {
  let first = 0, near = 0, sameHash = 0;
  for (const original of queries) {
    const copy = await editedCopy(original.raster, edit);
    const trimmed = trimBorder(copy);
    const vector = vd1(trimmed);
    const own = cosine(vector, original.vector);
    if (known.every((other) => other === original || cosine(vector, other.vector) < own)) first++;
    if (own >= 0.9) near++;
    if (Math.min(hammingDistance(pdq(copy).hash, original.hash), hammingDistance(pdq(trimmed).hash, original.hashTrimmed)) <= 31) sameHash++;
  }
  return { first: first / queries.length, near: near / queries.length, sameHash: sameHash / queries.length };
}

async function searchAll(known: Known[], queries: Known[]): Promise<Record<string, Rates>> {
  const rates: Record<string, Rates> = {};
  for (const edit of editNames) rates[edit] = await search(known, queries, edit);
  return rates;
}

const meanFirst = (rates: Record<string, Rates>) => Object.values(rates).reduce((sum, { first }) => sum + first, 0) / editNames.length;

function nearPairs(known: Known[], least: number): string[] {
  return known.flatMap((one, i) => known.slice(i + 1).filter((other) => cosine(one.vector, other.vector) >= least).map((other) => `${one.name} ${other.name}`));
}

describe('the vector', () => {
  test('has unit length and no NaN even for a picture of one colour', () => {
    for (const color of [[0, 0, 0], [255, 255, 255], [128, 128, 128], [255, 0, 0], [0, 0, 255]]) {
      for (const [width, height] of [[512, 384], [3, 512], [1, 1]] as const) {
        const vector = vd1(plain(width, height, color));
        expect(vector).toHaveLength(256);
        expect(Math.hypot(...vector)).toBeCloseTo(1, 4);
      }
    }
  });

  test('is the same for a picture and its mirror image', async () => {
    const raster = await raster512(await drawSample('red-car.jpg', { width: 600 }));
    const mirrored: Raster = { ...raster, data: new Uint8Array(raster.data.length) };
    for (let y = 0; y < raster.height; y++) {
      for (let x = 0; x < raster.width; x++) {
        const from = (y * raster.width + x) * 3;
        mirrored.data.set(raster.data.subarray(from, from + 3), (y * raster.width + raster.width - 1 - x) * 3);
      }
    }
    expect(cosine(vd1(raster), vd1(mirrored))).toBeGreaterThan(0.9999);
  });

  test('tells pictures of another colour and of another layout apart', () => {
    const red = plain(100, 100, [200, 20, 20]);
    const blue = plain(100, 100, [20, 20, 200]);
    expect(cosine(vd1(red), vd1(blue))).toBeLessThan(0.2);
  });
});

describe('drawn pictures', () => {
  const copies = ['red-car-small-copy.webp', 'sunset-over-the-sea-brighter.jpg', 'snowy-mountains-mirrored.jpg'];
  let originals: Known[];
  let known: Known[];

  beforeAll(async () => {
    known = [];
    for (const name of sampleNames) known.push(await know(name, await drawSample(name, { width: 640 })));
    originals = known.filter(({ name }) => !copies.includes(name));
  });

  test('are found again after every kind of edit', async () => {
    const rates = await searchAll(originals, originals);
    expect(meanFirst(rates)).toBeGreaterThanOrEqual(0.97);
    for (const edit of ['resized', 'recompressed', 'mirrored']) expect(rates[edit]!.near, edit).toBe(1);
  });

  test('have a cosine of .90 with their copies, and with nothing else', () => {
    expect(nearPairs(known, 0.9).sort()).toEqual([
      'red-car.jpg red-car-small-copy.webp',
      'snowy-mountains.jpg snowy-mountains-mirrored.jpg',
      'sunset-over-the-sea.jpg sunset-over-the-sea-brighter.jpg',
    ]);
  });

  test('have a hash within 31 bits of their copies, except the mirrored one', () => {
    const pairs = known.flatMap((one, i) => known.slice(i + 1).filter((other) => hammingDistance(one.hash, other.hash) <= 31).map((other) => `${one.name} ${other.name}`));
    expect(pairs.sort()).toEqual(['red-car.jpg red-car-small-copy.webp', 'sunset-over-the-sea.jpg sunset-over-the-sea-brighter.jpg']);
  });
});

const folders = ['../shared/data/photos', '../shared/data/cutout-photos'];

describe.skipIf(!folders.every(existsSync))('photographs', () => {
  let known: Known[];

  beforeAll(async () => {
    known = [];
    for (const folder of folders) for (const name of readdirSync(folder)) known.push(await know(name, readFileSync(`${folder}/${name}`)));
  }, 120_000);

  test('are found again: on average over twelve kinds of edits the first answer is right in 97 % and more', async () => {
    const rates = await searchAll(known, known.filter((_, i) => i % 3 === 0));
    expect(meanFirst(rates)).toBeGreaterThanOrEqual(0.97);
    for (const edit of ['resized', 'recompressed', 'mirrored']) expect(rates[edit]!.near, edit).toBeGreaterThanOrEqual(0.99);
    for (const edit of ['cropped to 90 %', 'bordered', 'blurred']) expect(rates[edit]!.near, edit).toBeGreaterThanOrEqual(0.85);
    // Grey copies have lost the colours that the vector counts; the hash finds them.
    for (const edit of ['resized', 'recompressed', 'brightened', 'contrasted', 'blurred', 'grey']) expect(rates[edit]!.sameHash, edit).toBeGreaterThanOrEqual(0.92);
    expect(rates['bordered']!.sameHash).toBeGreaterThanOrEqual(0.85);
  }, 120_000);

  test('that differ never reach .90, and never 80 bits, except the two views of one motorcycle', () => {
    expect(known.length).toBeGreaterThan(70);
    expect(nearPairs(known, 0.9)).toEqual(['motorcycle_left.png motorcycle_right.png']);
    const close = known.flatMap((one, i) => known.slice(i + 1).filter((other) => hammingDistance(one.hash, other.hash) < 80));
    expect(close).toEqual([]);
  });
});
