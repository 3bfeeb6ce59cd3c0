import type { LabPlanes } from './saliency.ts';

/** What a class of pixels looks like: a few normal distributions of colour. */
export interface GaussianMixture {
  /** How unlikely the colour is for this class: negative logarithm of the density. */
  cost(L: number, a: number, b: number): number;
}

interface Gaussian {
  mean: number[];
  /** Inverse of the covariance: LL, La, Lb, aa, ab, bb. */
  inverse: number[];
  /** Logarithm of weight and normaliser. */
  logScale: number;
}

const COMPONENTS = 5;
/** Added to every variance: about the noise of one 8-bit level, so that flat areas keep an inverse. */
const NOISE = 2e-5;
/** Added to every density; and the power of e that is below its last digit, as most colours are to most of the distributions. */
const FLOOR = 1e-9;
const NOTHING = -60;

/** Fits a mixture to the pixels in `members`; deterministic. Hard assignments, as in GrabCut. */
export function fitMixture(lab: LabPlanes, members: Uint32Array): GaussianMixture {
  const gaussians = clusterColors(lab, members).map((cluster) => fitGaussian(lab, cluster, members.length));
  const numbers = Float64Array.from(gaussians.flatMap(({ mean, inverse, logScale }) => [...mean, ...inverse, logScale]));
  return {
    cost(L, a, b) {
      let density = 0;
      for (let k = 0; k < numbers.length; k += 10) {
        const x = L - numbers[k]!;
        const y = a - numbers[k + 1]!;
        const z = b - numbers[k + 2]!;
        const distance = x * (x * numbers[k + 3]! + 2 * (y * numbers[k + 4]! + z * numbers[k + 5]!)) + y * (y * numbers[k + 6]! + 2 * z * numbers[k + 7]!) + z * z * numbers[k + 8]!;
        const power = numbers[k + 9]! - distance / 2;
        if (power > NOTHING) density += Math.exp(power);
      }
      return -Math.log(density + FLOOR);
    },
  };
}

/** Splits the widest cluster along its main axis until there are five. Source: Orchard & Bouman, "Color Quantization of Images" (1991). */
function clusterColors(lab: LabPlanes, members: Uint32Array): Uint32Array[] {
  const clusters = [describe(lab, members)];
  while (clusters.length < COMPONENTS) {
    clusters.sort((one, other) => other.scatter - one.scatter);
    const { members: widest, axis, mean, scatter } = clusters[0]!;
    if (scatter < 1e-6 * widest.length || widest.length < 20) break;
    const parts = halve(lab, widest, mean, axis);
    if (parts.some(({ length }) => length === 0)) break;
    clusters.splice(0, 1, ...parts.map((part) => describe(lab, part)));
  }
  return clusters.map(({ members: own }) => own);
}

/** The members on either side of the plane through the mean that the axis stands on. */
function halve(lab: LabPlanes, members: Uint32Array, mean: number[], axis: number[]): [Uint32Array, Uint32Array] {
  const [L, a, b] = [lab[0].data, lab[1].data, lab[2].data];
  const [x, y, z] = axis as [number, number, number];
  const [mL, ma, mb] = mean as [number, number, number];
  const above = new Uint32Array(members.length);
  const below = new Uint32Array(members.length);
  let n = 0;
  for (let m = 0; m < members.length; m++) {
    const i = members[m]!;
    if ((L[i]! - mL) * x + (a[i]! - ma) * y + (b[i]! - mb) * z > 0) above[n++] = i;
    else below[m - n] = i;
  }
  return [above.subarray(0, n), below.subarray(0, members.length - n)];
}

/** Scatter is the variance along the main axis, found by power iteration, times the number of members. */
function describe(lab: LabPlanes, members: Uint32Array) {
  const { mean, covariance } = moments(lab, members);
  let axis = [0.6, 0.5, 0.62];
  let length = 0;
  for (let round = 0; round < 12; round++) {
    const [LL, La, Lb, aa, ab, bb] = covariance as [number, number, number, number, number, number];
    const [x, y, z] = axis as [number, number, number];
    const next = [LL * x + La * y + Lb * z, La * x + aa * y + ab * z, Lb * x + ab * y + bb * z];
    length = Math.hypot(...next);
    if (length < 1e-12) break;
    axis = next.map((value) => value / length);
  }
  return { members, mean, axis, scatter: length * members.length };
}

function moments(lab: LabPlanes, members: Uint32Array): { mean: number[]; covariance: number[] } {
  const [L, a, b] = [lab[0].data, lab[1].data, lab[2].data];
  let sx = 0, sy = 0, sz = 0, xx = 0, xy = 0, xz = 0, yy = 0, yz = 0, zz = 0;
  for (let m = 0; m < members.length; m++) {
    const i = members[m]!;
    const x = L[i]!;
    const y = a[i]!;
    const z = b[i]!;
    sx += x; sy += y; sz += z;
    xx += x * x; xy += x * y; xz += x * z; yy += y * y; yz += y * z; zz += z * z;
  }
  const n = Math.max(1, members.length);
  sx /= n; sy /= n; sz /= n;
  return { mean: [sx, sy, sz], covariance: [xx / n - sx * sx, xy / n - sx * sy, xz / n - sx * sz, yy / n - sy * sy, yz / n - sy * sz, zz / n - sz * sz] };
}

function fitGaussian(lab: LabPlanes, members: Uint32Array, total: number): Gaussian {
  const { mean, covariance } = moments(lab, members);
  const [LL, La, Lb, aa, ab, bb] = covariance.map((value, i) => (i === 0 || i === 3 || i === 5 ? value + NOISE : value)) as [number, number, number, number, number, number];
  const determinant = LL * (aa * bb - ab * ab) - La * (La * bb - ab * Lb) + Lb * (La * ab - aa * Lb);
  const inverse = [aa * bb - ab * ab, Lb * ab - La * bb, La * ab - Lb * aa, LL * bb - Lb * Lb, La * Lb - LL * ab, LL * aa - La * La].map((value) => value / determinant);
  return { mean, inverse, logScale: Math.log(members.length / total) - 0.5 * Math.log(determinant) };
}
