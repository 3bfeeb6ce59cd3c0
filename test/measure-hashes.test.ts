import { describe, expect, test } from 'vitest';
import { drawSample } from '../src/compute/draw.ts';
import { hammingDistance, pdq } from '../src/compute/pdq.ts';
import type { Raster } from '../src/compute/raster.ts';
import { lumaOf } from '../src/compute/resample.ts';
import { seeded } from '../src/compute/scenes/brush.ts';
import { trimBorder } from '../src/compute/trim.ts';
import { editedCopy, plain, raster512 } from './measure-edits.ts';

const draw = async (name: string) => raster512(await drawSample(name, { width: 640 }));

/** The same picture in the middle of a frame. */
function framed(raster: Raster, frame: number, color: number[]): Raster {
  const out = plain(raster.width + 2 * frame, raster.height + 2 * frame, color);
  const row = raster.width * 3;
  for (let y = 0; y < raster.height; y++) out.data.set(raster.data.subarray(y * row, (y + 1) * row), ((y + frame) * out.width + frame) * 3);
  return out;
}

/** The definition of PDQ, word for word and slowly. */
function pdqByDefinition(raster: Raster): string {
  const { width, height } = raster;
  const boxed = (values: number[]) => {
    const window = Math.floor((values.length + 127) / 128);
    const half = Math.floor((window + 2) / 2);
    return values.map((_, i) => {
      const part = values.slice(Math.max(0, i - (window - half)), i + half);
      return part.reduce((sum, value) => sum + value, 0) / part.length;
    });
  };
  const transposed = (rows: number[][]) => rows[0]!.map((_, x) => rows.map((row) => row[x]!));
  const luma = Array.from(lumaOf(raster));
  let rows = Array.from({ length: height }, (_, y) => luma.slice(y * width, (y + 1) * width));
  for (let round = 0; round < 2; round++) rows = transposed(transposed(rows.map(boxed)).map(boxed));
  const cells = Array.from({ length: 64 }, (_, r) => Array.from({ length: 64 }, (_, c) => rows[Math.floor(((r + 0.5) * height) / 64)]![Math.floor(((c + 0.5) * width) / 64)]!));
  const wave = (i: number, j: number) => Math.sqrt(2 / 64) * Math.cos((Math.PI / 128) * (i + 1) * (2 * j + 1));
  const frequencies = Array.from({ length: 256 }, (_, k) => {
    let sum = 0;
    for (let r = 0; r < 64; r++) for (let c = 0; c < 64; c++) sum += wave(Math.floor(k / 16), r) * cells[r]![c]! * wave(k % 16, c);
    return sum;
  });
  const median = [...frequencies].sort((one, other) => one - other)[127]!;
  const bits = frequencies.reduce((number, value, k) => (value > median ? number | (1n << BigInt(k)) : number), 0n);
  return bits.toString(16).padStart(64, '0');
}

describe('PDQ', () => {
  test('is what its definition says', async () => {
    for (const name of ['red-car.jpg', 'sailing-boat.webp']) {
      const raster = await draw(name);
      // Single and double precision may differ in a bit that lies on the median.
      expect(hammingDistance(pdq(raster).hash, pdqByDefinition(raster))).toBeLessThanOrEqual(2);
    }
  });

  test('has 128 bits set, and a quality that tells a plain picture from a full one', async () => {
    const { hash, quality } = pdq(await draw('tulip-flowers.webp'));
    expect(hammingDistance(hash, '0'.repeat(64))).toBe(128);
    expect(quality).toBeGreaterThanOrEqual(80);
    expect(pdq(plain(512, 300, [10, 90, 200])).quality).toBe(0);
  });

  test('stays within 31 bits when a picture is resized, recompressed, brightened, contrasted, blurred or made grey', async () => {
    const raster = await draw('hot-air-balloons.jpg');
    for (const edit of ['resized', 'recompressed', 'brightened', 'contrasted', 'blurred', 'grey']) {
      expect(hammingDistance(pdq(raster).hash, pdq(await editedCopy(raster, edit)).hash), edit).toBeLessThanOrEqual(31);
    }
  });

  test('is defined for the smallest pictures', () => {
    for (const [width, height] of [[1, 1], [50, 2], [3, 400]] as const) expect(pdq(plain(width, height, [1, 2, 3])).hash).toMatch(/^[0-9a-f]{64}$/);
  });

  test('compares only hashes', () => {
    expect(hammingDistance(`f${'0'.repeat(63)}`, '0'.repeat(64))).toBe(4);
    expect(() => hammingDistance('abc', '0'.repeat(64))).toThrow('Expected 64 hexadecimal digits for a hash but received "abc"');
  });
});

describe('trimming', () => {
  test('takes off a frame of any colour and one line of its soft edge, and the hash of what is left is that of the original', async () => {
    const raster = await draw('misty-forest.jpg');
    const original = trimBorder(raster);
    for (const color of [[255, 255, 255], [0, 0, 0], [180, 40, 90]]) {
      const trimmed = trimBorder(framed(raster, 40, color));
      expect(trimmed.width).toBeLessThanOrEqual(raster.width);
      expect(trimmed.width).toBeGreaterThanOrEqual(original.width - 2);
      expect(hammingDistance(pdq(trimmed).hash, pdq(original).hash)).toBeLessThanOrEqual(31);
    }
  });

  test('gives back the very raster where there is no border, and where nearly nothing would be left', () => {
    const random = seeded(1);
    const noise = plain(300, 200, [0, 0, 0]);
    noise.data.forEach((_, k) => { noise.data[k] = random() * 256; });
    expect(trimBorder(noise) === noise).toBe(true);
    const even = plain(300, 200, [50, 60, 70]);
    expect(trimBorder(even) === even).toBe(true);
    const stamp = framed(plain(20, 20, [255, 0, 0]), 100, [255, 255, 255]);
    expect(trimBorder(stamp) === stamp).toBe(true);
  });
});
