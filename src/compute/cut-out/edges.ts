import type { Raster } from '../raster.ts';

const SOLID = 250;
const NOTHING = 5;

/** Sums over a window: red, green, blue, squares, count of what is solid, then the same of what is nothing. */
const TERMS = 10;

/**
 * RGBA of the subject alone. Where a pixel is part subject and part background, the colours of both are looked up around it (what is solid, what is nothing,
 * within `radius`): they say how much of each the pixel holds, and then what colour the subject has there without the background's light.
 * Source: the blur-fusion foreground estimate of Forte, "Approximate Fast Foreground Colour Estimation" (ICIP 2021), with hard instead of soft weights.
 */
export function separateEdges(picture: Raster, alpha: Uint8Array, radius: number): Raster {
  const { width, height, channels, data } = picture;
  const out = new Uint8Array(width * height * 4);
  // Whole numbers, so that what is added and later taken away leaves nothing; the squares of a window stay below 2^53.
  const columns = new Float64Array(width * TERMS);
  const sums = new Float64Array(TERMS);

  function enter(y: number, sign: number): void {
    for (let x = 0, i = y * width, k = i * channels; x < width; x++, i++, k += channels) {
      const isSolid = alpha[i]! >= SOLID;
      if (!isSolid && alpha[i]! > NOTHING) continue;
      const t = x * TERMS + (isSolid ? 0 : 5);
      const red = data[k]!, green = data[k + 1]!, blue = data[k + 2]!;
      columns[t]! += sign * red;
      columns[t + 1]! += sign * green;
      columns[t + 2]! += sign * blue;
      columns[t + 3]! += sign * (red * red + green * green + blue * blue);
      columns[t + 4]! += sign;
    }
  }
  function slide(x: number, sign: number): void {
    if (x < 0 || x >= width) return;
    for (let t = 0; t < TERMS; t++) sums[t]! += sign * columns[x * TERMS + t]!;
  }

  for (let y = 0; y < Math.min(radius, height); y++) enter(y, 1);
  for (let y = 0; y < height; y++) {
    if (y + radius < height) enter(y + radius, 1);
    if (y - radius - 1 >= 0) enter(y - radius - 1, -1);
    const first = firstMixed(alpha, y * width, (y + 1) * width);
    for (let x = 0, i = y * width; x < width; x++, i++) {
      out[i * 4 + 3] = alpha[i]! > NOTHING ? alpha[i]! : 0;
      if (alpha[i]! > NOTHING) for (let c = 0; c < 3; c++) out[i * 4 + c] = data[i * channels + c]!;
    }
    if (first < 0) continue;
    sums.fill(0);
    for (let x = 0; x < radius; x++) slide(x, 1);
    for (let x = 0, i = y * width; x < width; x++, i++) {
      slide(x + radius, 1);
      slide(x - radius - 1, -1);
      if (alpha[i]! > NOTHING && alpha[i]! < SOLID) unmix(data, i * channels, alpha[i]! / 255, sums, out, i * 4);
    }
  }
  return { width, height, channels: 4, data: out };
}

function firstMixed(alpha: Uint8Array, from: number, to: number): number {
  for (let i = from; i < to; i++) if (alpha[i]! > NOTHING && alpha[i]! < SOLID) return i;
  return -1;
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
