import type { Raster } from './raster.ts';
import { lumaOf } from './resample.ts';

/** What quality, tags and caption are judged by. Luma is Rec. 601, 0..255; shares are 0..1. */
export interface Statistics {
  meanLuma: number;
  /** Standard deviation of luma. */
  lumaDeviation: number;
  /** Variance of the 4-neighbour Laplacian of luma: fine detail. Depends on the size of the raster. */
  laplacianVariance: number;
  /** Share of pixels as dark or as bright as can be (luma <= 2 or >= 253), where detail is lost. */
  clippedShare: number;
  /** Share of pixels whose luma equals that of the right and of the lower neighbour. */
  flatShare: number;
  /** How many 5-bit colours cover 90 % of the picture. */
  colorCount: number;
  /** Share of the commonest 5-bit colour. */
  commonestShare: number;
  /** The commonest 5-bit colour is next to white. */
  commonestIsWhite: boolean;
}

/** Facts of a raster without alpha whose longer side is 512 px: the thresholds that are put on them were measured at this size. */
export function measureStatistics(raster: Raster): Statistics {
  const { width, height, channels, data } = raster;
  const luma = lumaOf(raster);
  const pixels = luma.length;
  let sum = 0, squares = 0, clipped = 0, flat = 0;
  let edgeSum = 0, edgeSquares = 0, inner = 0;
  for (let y = 0, k = 0; y < height; y++) {
    for (let x = 0; x < width; x++, k++) {
      const value = luma[k]!;
      sum += value;
      squares += value * value;
      if (value <= 2 || value >= 253) clipped++;
      if (x === width - 1 || y === height - 1) continue;
      const right = luma[k + 1]!;
      const below = luma[k + width]!;
      if (Math.abs(value - right) < 0.5 && Math.abs(value - below) < 0.5) flat++;
      if (x === 0 || y === 0) continue;
      const laplacian = luma[k - 1]! + right + luma[k - width]! + below - 4 * value;
      edgeSum += laplacian;
      edgeSquares += laplacian * laplacian;
      inner++;
    }
  }

  const counts = new Uint32Array(1 << 15);
  for (let pixel = 0, k = 0; pixel < pixels; pixel++, k += channels) {
    counts[((data[k]! >> 3) << 10) | ((data[k + 1]! >> 3) << 5) | (data[k + 2]! >> 3)]!++;
  }
  const commonest = counts.reduce((best, count, color) => (count > counts[best]! ? color : best), 0);
  const descending = counts.filter((count) => count > 0).sort().reverse();
  let colorCount = 0;
  for (let covered = 0; covered < 0.9 * pixels; colorCount++) covered += descending[colorCount]!;

  const variance = (squareSum: number, valueSum: number, count: number) => (count > 0 ? Math.max(0, squareSum / count - (valueSum / count) ** 2) : 0);
  return {
    meanLuma: sum / pixels,
    lumaDeviation: Math.sqrt(variance(squares, sum, pixels)),
    laplacianVariance: variance(edgeSquares, edgeSum, inner),
    clippedShare: clipped / pixels,
    flatShare: flat / pixels,
    colorCount,
    commonestShare: counts[commonest]! / pixels,
    commonestIsWhite: [10, 5, 0].every((shift) => ((commonest >> shift) & 31) >= 29),
  };
}
