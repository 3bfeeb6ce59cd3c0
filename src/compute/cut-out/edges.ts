import type { Raster } from '../raster.ts';

const SOLID = 250;
const NOTHING = 5;

/** Sums over a block of pixels: red, green, blue, squares, count of what is solid, then the same of what is nothing. */
const TERMS = 10;
/** Blocks of a window to each side of the middle one: windows are `2 * 3 + 1` blocks wide. */
const AROUND = 3;

/**
 * RGBA of the subject alone. Where a pixel is part subject and part background, the colours of both are looked up around it (what is solid, what is nothing,
 * within about `radius`): they say how much of each the pixel holds, and then what colour the subject has there without the background's light.
 * Source: the blur-fusion foreground estimate of Forte, "Approximate Fast Foreground Colour Estimation" (ICIP 2021), with hard instead of soft weights,
 * and windows that move by blocks of a seventh of their side instead of by pixels, which is a tenth of the work.
 */
export function separateEdges(picture: Raster, alpha: Uint8Array, radius: number): Raster {
  const { width, height, channels, data } = picture;
  const side = Math.max(1, Math.round((2 * radius + 1) / (2 * AROUND + 1)));
  const across = Math.ceil(width / side);
  const down = Math.ceil(height / side);
  const blocks = sumBlocks(picture, alpha, side, across, down);
  const windows = new Map<number, Float64Array>();
  const windowAround = (column: number, row: number) => {
    const key = row * across + column;
    const known = windows.get(key);
    if (known) return known;
    const sums = new Float64Array(TERMS);
    for (let r = Math.max(0, row - AROUND); r <= Math.min(down - 1, row + AROUND); r++) for (let c = Math.max(0, column - AROUND); c <= Math.min(across - 1, column + AROUND); c++) {
      for (let t = 0; t < TERMS; t++) sums[t]! += blocks[(r * across + c) * TERMS + t]!;
    }
    windows.set(key, sums);
    return sums;
  };

  const out = new Uint8Array(width * height * 4);
  for (let y = 0, i = 0, k = 0; y < height; y++) for (let x = 0; x < width; x++, i++, k += channels) {
    const value = alpha[i]!;
    if (value <= NOTHING) continue;
    out[i * 4] = data[k]!;
    out[i * 4 + 1] = data[k + 1]!;
    out[i * 4 + 2] = data[k + 2]!;
    out[i * 4 + 3] = value;
    if (value < SOLID) unmix(data, k, value / 255, windowAround(Math.floor(x / side), Math.floor(y / side)), out, i * 4);
  }
  return { width, height, channels: 4, data: out };
}

function sumBlocks({ width, height, channels, data }: Raster, alpha: Uint8Array, side: number, across: number, down: number): Float64Array {
  const blocks = new Float64Array(across * down * TERMS);
  for (let y = 0, i = 0, k = 0; y < height; y++) {
    const row = Math.floor(y / side) * across;
    for (let x = 0; x < width; x++, i++, k += channels) {
      const isSolid = alpha[i]! >= SOLID;
      if (!isSolid && alpha[i]! > NOTHING) continue;
      const t = (row + Math.floor(x / side)) * TERMS + (isSolid ? 0 : 5);
      const red = data[k]!, green = data[k + 1]!, blue = data[k + 2]!;
      blocks[t]! += red;
      blocks[t + 1]! += green;
      blocks[t + 2]! += blue;
      blocks[t + 3]! += red * red + green * green + blue * blue;
      blocks[t + 4]! += 1;
    }
  }
  return blocks;
}

/** A mixed pixel at `k` of the picture becomes subject colour and alpha at `to` of `out`. */
function unmix(data: Uint8Array, k: number, guided: number, sums: Float64Array, out: Uint8Array, to: number): void {
  const solid = sums[4]!;
  const nothing = sums[9]!;
  // A hair has nothing solid near it: its colour is what it is.
  if (solid === 0 || nothing === 0) return;
  let apart = 0, along = 0, solidMean = 0, nothingMean = 0;
  for (let c = 0; c < 3; c++) {
    const subject = sums[c]! / solid;
    const behind = sums[5 + c]! / nothing;
    apart += (subject - behind) ** 2;
    along += (data[k + c]! - behind) * (subject - behind);
    solidMean += subject * subject;
    nothingMean += behind * behind;
  }
  // The colours are believed as far as they are further from each other than each is wide.
  const spread = sums[3]! / solid - solidMean + sums[8]! / nothing - nothingMean;
  const trust = apart / (apart + 4 * spread + 100);
  const measured = Math.min(1, Math.max(0, along / Math.max(1, apart)));
  const alpha = guided + trust * (measured - guided);
  for (let c = 0; c < 3; c++) {
    const subject = sums[c]! / solid;
    const mixed = alpha * subject + (1 - alpha) * (sums[5 + c]! / nothing);
    out[to + c] = Math.min(255, Math.max(0, Math.round(subject + alpha * (data[k + c]! - mixed))));
  }
  out[to + 3] = Math.round(alpha * 255);
}
