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

/** Fits a mixture to the pixels in `members`; deterministic. Hard assignments, as in GrabCut. */
export function fitMixture(lab: LabPlanes, members: Uint32Array): GaussianMixture {
  const gaussians = clusterColors(lab, members).map((cluster) => fitGaussian(lab, cluster, members.length));
  return {
    cost(L, a, b) {
      let density = 0;
      for (let g = 0; g < gaussians.length; g++) {
        const { mean, inverse, logScale } = gaussians[g]!;
        const x = L - mean[0]!;
        const y = a - mean[1]!;
        const z = b - mean[2]!;
        const distance = x * (x * inverse[0]! + 2 * (y * inverse[1]! + z * inverse[2]!)) + y * (y * inverse[3]! + 2 * z * inverse[4]!) + z * z * inverse[5]!;
        density += Math.exp(logScale - distance / 2);
      }
      return -Math.log(density + 1e-9);
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
    const lies = (i: number) => (lab[0].data[i]! - mean[0]!) * axis[0]! + (lab[1].data[i]! - mean[1]!) * axis[1]! + (lab[2].data[i]! - mean[2]!) * axis[2]! > 0;
    const parts = [widest.filter(lies), widest.filter((i) => !lies(i))];
    if (parts.some(({ length }) => length === 0)) break;
    clusters.splice(0, 1, ...parts.map((part) => describe(lab, part)));
  }
  return clusters.map(({ members: own }) => own);
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
