import { fitMixture, type GaussianMixture } from './gaussian-mixture.ts';
import { linkNeighbours } from './links.ts';
import { grid } from './max-flow.ts';
import { type Plane, quantile } from './plane.ts';
import { type LabPlanes, otsu } from './saliency.ts';

const ROUNDS = 3;
/** The flow counts in whole numbers, so that it comes to an end. */
const UNIT = 20;
/** More than any cut is worth: these pixels stay on their side. */
const SURE = 1e7;
/** Where saliency encloses what looks like the background by this much, colour decides: the ground seen between spokes is shut off from the border too. */
const DOUBT = -2;
/** The most that saliency adds to what colour says, for or against: less than a colour that only one side has. */
const SALIENCE = 4;

export interface Segmentation {
  /** 1 for the pixels of the subject. */
  mask: Plane;
  /** How much likelier a pixel's colour is for the subject than for the background, as a logarithm. */
  evidence: Float32Array;
}

/**
 * The subject: the seeds that the saliency gives are grown by the colours of both sides and by the edges between them.
 * Source: Rother, Kolmogorov, Blake, "GrabCut" (SIGGRAPH 2004), seeded by saliency instead of a rectangle.
 */
export function segment(lab: LabPlanes, salient: Plane): Segmentation {
  const { width, height } = salient;
  const [L, a, b] = [lab[0].data, lab[1].data, lab[2].data];
  const { mask: guess, sure, leaning } = seed(salient);
  let mask = guess;
  const cut = grid(width, height, linkNeighbours(lab, UNIT));
  const terminals = new Int32Array(mask.length);
  const evidence = new Float32Array(mask.length);
  for (let round = 0; round < ROUNDS; round++) {
    const outside = fitMixture(lab, indicesOf(mask, 0));
    const inside = fitMixture(lab, round === 0 ? unlikeBackground(lab, mask, outside) : indicesOf(mask, 1));
    for (let i = 0; i < mask.length; i++) {
      const likelier = (evidence[i] = outside.cost(L[i]!, a[i]!, b[i]!) - inside.cost(L[i]!, a[i]!, b[i]!));
      const isSure = sure[i] === -1 || (sure[i] === 1 && (round === 0 || likelier > DOUBT));
      terminals[i] = isSure ? sure[i]! * SURE : Math.round(UNIT * (likelier + SALIENCE * leaning[i]!));
    }
    mask = cut(terminals);
  }
  return { mask: { width, height, data: Float32Array.from(mask) }, evidence };
}

/** The first guess; the pixels that are beyond doubt: 1 of the subject, -1 of the background, 0 to be decided; and to which side each leans, -1 to 1. */
function seed({ width, height, data }: Plane): { mask: Uint8Array; sure: Int8Array; leaning: Float32Array } {
  const { threshold } = otsu(data);
  const mask = new Uint8Array(data.length);
  const sure = new Int8Array(data.length);
  const leaning = new Float32Array(data.length);
  for (let y = 0, i = 0; y < height; y++) for (let x = 0; x < width; x++, i++) {
    const value = data[i]!;
    const onFrame = x < 2 || y < 2 || x >= width - 2 || y >= height - 2;
    leaning[i] = (value - threshold) / (value > threshold ? 1 - threshold : threshold);
    if (leaning[i]! > 0.7) sure[i] = 1;
    else if (leaning[i]! < -0.65 || (onFrame && value <= threshold)) sure[i] = -1;
    mask[i] = value > threshold ? 1 : 0;
  }
  return { mask, sure, leaning };
}

function indicesOf(mask: Uint8Array, value: number): Uint32Array {
  const indices = new Uint32Array(mask.length);
  let count = 0;
  for (let i = 0; i < mask.length; i++) if (mask[i] === value) indices[count++] = i;
  return indices.subarray(0, count);
}

/** The pixels of the guess but for those whose colour is common in the background; all of them where few would be left. */
function unlikeBackground(lab: LabPlanes, mask: Uint8Array, outside: GaussianMixture): Uint32Array {
  const costs = Float32Array.from(mask, (_, i) => outside.cost(lab[0].data[i]!, lab[1].data[i]!, lab[2].data[i]!));
  const usual = quantile(costs.filter((_, i) => mask[i] === 0), 0.9);
  const guess = indicesOf(mask, 1);
  const clear = guess.filter((i) => costs[i]! > usual);
  return clear.length > 0.25 * guess.length ? clear : guess;
}
