import type { Plane } from './plane.ts';
import type { LabPlanes } from './saliency.ts';
import { type Superpixels, superpixels } from './superpixels.ts';

/** OKLab's a and b are small beside L; so many times larger they weigh as in CIELAB, for which the paper gives its figures. */
const CHROMA = 2.5;
/** How far apart two patches may be along a path to be of one region, and how alike neighbours are that are pulled together; distances in OKLab. */
const ONE_REGION = 0.06;
const ALIKE = 0.06;
/** How much neighbours are pulled together whatever their colours. */
const PULL = 0.1;
/** Contrast counts within about a quarter of the picture. */
const NEAR = 0.25;
/** Shares of what pixels say and of contrast to the background in what speaks for the subject. */
const PIXELS_SAY = 0.6;
const ROUNDS = 80;

/**
 * What draws the eye, weighed against how much each patch belongs to the background, 0..1: a region that meets the border of the picture along
 * much of its outline is background, one that only touches it is a subject cut by the frame. `salient` is what the pixels say.
 * Source: Zhu, Liang, Wei, Sun, "Saliency Optimization from Robust Background Detection" (CVPR 2014), equations 1 to 9.
 */
export function weighBackground(lab: LabPlanes, salient: Plane): Plane {
  const patches = superpixels(lab);
  const { count, labels, size } = patches;
  const distance = distanceBetween(patches);
  const background = backgroundOf(patches, distance);
  const contrast = contrastTo(patches, distance, background);
  const subject = new Float64Array(count);
  for (let i = 0; i < labels.length; i++) subject[labels[i]!]! += (PIXELS_SAY * salient.data[i]!) / size[labels[i]!]!;
  for (let p = 0; p < count; p++) subject[p]! += (1 - PIXELS_SAY) * contrast[p]!;

  const weight = settle(patches, distance, background, subject);
  let low = Infinity, high = -Infinity;
  for (const value of weight) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const range = high - low || 1;
  return { ...salient, data: Float32Array.from(labels, (patch) => (weight[patch]! - low) / range) };
}

type Distance = (one: number, other: number) => number;

function distanceBetween({ color }: Superpixels): Distance {
  return (i, j) => Math.sqrt((color[i * 3]! - color[j * 3]!) ** 2 + (CHROMA * (color[i * 3 + 1]! - color[j * 3 + 1]!)) ** 2 + (CHROMA * (color[i * 3 + 2]! - color[j * 3 + 2]!)) ** 2);
}

/** How sure each patch is background, 0..1, by the share of its region's outline that lies on the border. */
function backgroundOf(patches: Superpixels, distance: Distance): Float64Array {
  const { count, isOnBorder } = patches;
  const along = shortestPaths(patches, distance);
  return Float64Array.from({ length: count }, (_, i) => {
    let area = 0, border = 0;
    for (let j = 0; j < count; j++) {
      const share = Math.exp(-(along[i * count + j]! ** 2) / (2 * ONE_REGION ** 2));
      area += share;
      if (isOnBorder[j]) border += share;
    }
    return 1 - Math.exp(-(border ** 2) / area / 2);
  });
}

/** The least sum of steps between any two patches (Floyd & Warshall); all patches on the border are neighbours, and steps as small as noise cost nothing. */
function shortestPaths({ count, edges, isOnBorder }: Superpixels, distance: Distance): Float32Array {
  const along = new Float32Array(count * count).fill(Infinity);
  const least = new Float64Array(count).fill(Infinity);
  for (const [i, j] of edges) {
    const step = distance(i, j);
    least[i] = Math.min(least[i]!, step);
    least[j] = Math.min(least[j]!, step);
  }
  const steps = least.filter(Number.isFinite);
  const noise = steps.reduce((sum, step) => sum + step, 0) / Math.max(1, steps.length);
  const join = (i: number, j: number) => {
    along[i * count + j] = along[j * count + i] = Math.max(0, distance(i, j) - noise);
  };
  for (const [i, j] of edges) join(i, j);
  for (let i = 0; i < count; i++) for (let j = i + 1; j < count; j++) if (isOnBorder[i] && isOnBorder[j]) join(i, j);
  for (let i = 0; i < count; i++) along[i * count + i] = 0;
  // A way is as long as the way back, so that half of the table is enough, but for the row that all others are compared with.
  const via = new Float32Array(count);
  for (let k = 0; k < count; k++) {
    for (let j = 0; j < count; j++) via[j] = along[j <= k ? k * count + j : j * count + k]!;
    for (let i = 0; i < count; i++) {
      const first = via[i]!;
      // Patches so far apart are of no one region, by whatever way.
      if (first > 1) continue;
      for (let j = 0, ij = i * count; j < i; j++, ij++) if (first + via[j]! < along[ij]!) along[ij] = first + via[j]!;
    }
  }
  for (let i = 0; i < count; i++) for (let j = 0; j < i; j++) along[j * count + i] = along[i * count + j]!;
  return along;
}

/** How much each patch differs from the background near it, as a share of the greatest. */
function contrastTo({ count, place }: Superpixels, distance: Distance, background: Float64Array): Float64Array {
  const contrast = new Float64Array(count);
  for (let i = 0; i < count; i++) for (let j = 0; j < count; j++) {
    const away = (place[i * 2]! - place[j * 2]!) ** 2 + (place[i * 2 + 1]! - place[j * 2 + 1]!) ** 2;
    contrast[i]! += distance(i, j) * background[j]! * Math.exp(-away / (2 * NEAR ** 2));
  }
  const most = contrast.reduce((greatest, value) => Math.max(greatest, value), 1e-9);
  return contrast.map((value) => value / most);
}

/** The values that please best: near 0 where the background pulls, near 1 where the subject does, and alike where neighbours look alike. Gauss & Seidel. */
function settle({ count, edges }: Superpixels, distance: Distance, background: Float64Array, subject: Float64Array): Float64Array {
  const neighbours = Array.from({ length: count }, (): [patch: number, pull: number][] => []);
  for (const [i, j] of edges) {
    const pull = Math.exp(-(distance(i, j) ** 2) / (2 * ALIKE ** 2)) + PULL;
    neighbours[i]!.push([j, pull]);
    neighbours[j]!.push([i, pull]);
  }
  const values = new Float64Array(count).fill(0.5);
  for (let round = 0; round < ROUNDS; round++) for (let i = 0; i < count; i++) {
    let wish = subject[i]!;
    let weight = subject[i]! + background[i]!;
    for (const [j, pull] of neighbours[i]!) {
      wish += pull * values[j]!;
      weight += pull;
    }
    values[i] = wish / Math.max(1e-9, weight);
  }
  return values;
}
