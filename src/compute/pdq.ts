import type { Raster } from './raster.ts';
import { lumaOf } from './resample.ts';

/** Hashes of pictures with almost no detail say nothing. */
export const minHashQuality = 50;
const side = 64;
const kept = 16;

/** The 16 lowest frequencies without the constant one: `basis[i * 64 + j]` (DCT-II). */
const basis = Float64Array.from({ length: kept * side }, (_, k) => {
  const i = Math.floor(k / side);
  const j = k % side;
  return Math.sqrt(2 / side) * Math.cos((Math.PI / (2 * side)) * (i + 1) * (2 * j + 1));
});

/** Box filter along one axis: the mean of a window that is cut at the ends. */
function boxFilter(from: Float32Array, to: Float32Array, lines: number, length: number, lineStep: number, step: number): void {
  const window = Math.floor((length + 127) / 128);
  const ahead = Math.floor(window / 2);
  const behind = window - ahead - 1;
  for (let line = 0; line < lines; line++) {
    const start = line * lineStep;
    let sum = 0;
    let count = 0;
    for (let i = -ahead; i < length; i++) {
      if (i + ahead < length) { sum += from[start + (i + ahead) * step]!; count++; }
      if (i - behind - 1 >= 0) { sum -= from[start + (i - behind - 1) * step]!; count--; }
      if (i >= 0) to[start + i * step] = sum / count;
    }
  }
}

/** 64x64 luma: two rounds of box filters, then samples at the cell centres. */
function shrink(raster: Raster): Float32Array {
  const { width, height } = raster;
  const luma = lumaOf(raster);
  const other = new Float32Array(luma.length);
  for (let round = 0; round < 2; round++) {
    boxFilter(luma, other, height, width, width, 1);
    boxFilter(other, luma, width, height, 1, width);
  }
  return Float32Array.from({ length: side * side }, (_, k) => {
    const row = Math.floor(((Math.floor(k / side) + 0.5) * height) / side);
    const column = Math.floor((((k % side) + 0.5) * width) / side);
    return luma[row * width + column]!;
  });
}

/** 0 (nothing to see) to 100: how much neighbouring cells differ. */
function gradientQuality(cells: Float32Array): number {
  let sum = 0;
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      const k = row * side + column;
      if (row + 1 < side) sum += Math.abs(Math.trunc(((cells[k]! - cells[k + side]!) * 100) / 255));
      if (column + 1 < side) sum += Math.abs(Math.trunc(((cells[k]! - cells[k + 1]!) * 100) / 255));
    }
  }
  return Math.min(100, Math.floor(sum / 90));
}

/**
 * The perceptual hash PDQ: two pictures whose hashes differ in at most 31 of 256 bits are copies of each other.
 * Takes an upright sRGB raster shrunk to fit 512x512, never enlarged; other sizes give hashes that do not compare with the outside world.
 * Gives 64 hex digits, bit 255 first, and a quality of 0..100; below `minHashQuality` the picture is too plain for its hash to mean much. Alpha is ignored.
 * Source: facebook/ThreatExchange, "The TMK+PDQF video-hashing algorithm and the PDQ image-hashing algorithm" (2019).
 */
export function pdq(raster: Raster): { hash: string; quality: number } {
  const cells = shrink(raster);

  // B = D A Dᵀ, in two products.
  const half = new Float64Array(kept * side);
  for (let i = 0; i < kept; i++) {
    for (let k = 0; k < side; k++) {
      const factor = basis[i * side + k]!;
      for (let j = 0; j < side; j++) half[i * side + j]! += factor * cells[k * side + j]!;
    }
  }
  const frequencies = new Float64Array(kept * kept);
  for (let i = 0; i < kept; i++) {
    for (let j = 0; j < kept; j++) {
      let sum = 0;
      for (let k = 0; k < side; k++) sum += half[i * side + k]! * basis[j * side + k]!;
      frequencies[i * kept + j] = sum;
    }
  }

  const median = frequencies.slice().sort()[127]!;
  let hash = '';
  for (let digit = 63; digit >= 0; digit--) {
    let value = 0;
    for (let bit = 3; bit >= 0; bit--) value = value * 2 + (frequencies[digit * 4 + bit]! > median ? 1 : 0);
    hash += value.toString(16);
  }
  return { hash, quality: gradientQuality(cells) };
}

const bitsOfDigit = [0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4];

/** Number of different bits of two hashes of 64 hex digits: 0..256. Throws a RangeError for other texts. */
export function hammingDistance(one: string, other: string): number {
  for (const hash of [one, other]) {
    if (!/^[0-9a-f]{64}$/i.test(hash)) throw new RangeError(`Expected 64 hexadecimal digits for a hash but received "${hash}"`);
  }
  let distance = 0;
  for (let i = 0; i < 64; i++) distance += bitsOfDigit[Number.parseInt(one[i]!, 16) ^ Number.parseInt(other[i]!, 16)]!;
  return distance;
}
