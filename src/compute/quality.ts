import type { Statistics } from './statistics.ts';

/** How good a picture is as a photograph, each 0 (bad) to 1 (good). Nothing here knows what is shown. */
export interface Quality {
  sharpness: number;
  exposure: number;
  contrast: number;
  score: number;
}

const middleGrey = 118;
const fullDeviation = 60;
/** The Laplacian variance that counts as half sharp; four times what counts as blurry. */
const halfSharp = 240;

/**
 * Sharpness is v / (v + 240) of the Laplacian variance v: .2 where the tag "blurry" begins, about .87 for a usual photograph.
 * Exposure is 1 at a mean luma of 118, falls in a straight line to 0 at black and at white, less the share of clipped pixels.
 * Contrast is the deviation of luma over 60, at most 1. Score is half sharpness, a quarter exposure, a quarter contrast.
 */
export function measureQuality({ laplacianVariance, meanLuma, clippedShare, lumaDeviation }: Statistics): Quality {
  const sharpness = laplacianVariance / (laplacianVariance + halfSharp);
  const distance = Math.abs(meanLuma - middleGrey) / (meanLuma < middleGrey ? middleGrey : 255 - middleGrey);
  const exposure = Math.max(0, 1 - distance - clippedShare);
  const contrast = Math.min(1, lumaDeviation / fullDeviation);
  return { sharpness, exposure, contrast, score: 0.5 * sharpness + 0.25 * exposure + 0.25 * contrast };
}
