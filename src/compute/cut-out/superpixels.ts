import type { LabPlanes } from './saliency.ts';

/** A picture as a few hundred patches of nearly one colour each. A patch that others took everything from is black and alone. */
export interface Superpixels {
  count: number;
  /** The patch of each pixel. */
  labels: Int32Array;
  /** Mean OKLab of each patch: L, a, b one after the other. */
  color: Float64Array;
  /** Middle of each patch, as fractions of the longer side: x, y one after the other. */
  place: Float64Array;
  /** Pixels of each patch. */
  size: Float64Array;
  isOnBorder: Uint8Array;
  /** Pairs of patches that touch, each once. */
  edges: [number, number][];
}

/** Pixels along one side of a patch. */
const SIDE = 17;
/** How much a patch's side of distance weighs, as if it were so much of OKLab: higher gives squarer patches. */
const COMPACTNESS = 0.07;
const ROUNDS = 4;
/** L, a, b, x, y of a patch's middle; and in sums the count of its pixels. */
const TERMS = 5;

/** Source: Achanta et al., "SLIC Superpixels" (PAMI 2012), in OKLab. Patches that come apart are left so: their colours and neighbours are all that is asked. */
export function superpixels(lab: LabPlanes): Superpixels {
  const { width, height } = lab[0];
  const across = Math.max(1, Math.round(width / SIDE));
  const down = Math.max(1, Math.round(height / SIDE));
  const count = across * down;
  const centres = new Float64Array(count * TERMS);
  for (let c = 0; c < count; c++) {
    const x = Math.floor((((c % across) + 0.5) * width) / across);
    const y = Math.floor(((Math.floor(c / across) + 0.5) * height) / down);
    centres.set([...lab.map(({ data }) => data[y * width + x]!), x, y], c * TERMS);
  }
  const labels = new Int32Array(width * height);
  let size = new Float64Array(count);
  for (let round = 0; round < ROUNDS; round++) {
    assign(lab, centres, labels, Math.sqrt((width * height) / count));
    size = moveCentres(lab, centres, labels);
  }
  const longer = Math.max(width, height);
  return {
    count,
    labels,
    color: Float64Array.from({ length: count * 3 }, (_, k) => centres[Math.floor(k / 3) * TERMS + (k % 3)]!),
    place: Float64Array.from({ length: count * 2 }, (_, k) => centres[(k >> 1) * TERMS + 3 + (k & 1)]! / longer),
    size,
    isOnBorder: borderOf(width, height, labels, count),
    edges: edgesOf(width, height, labels, count),
  };
}

/** Each pixel goes to the centre that is nearest in colour and place, of those about a side away. */
function assign([{ width, height, data: L }, { data: a }, { data: b }]: LabPlanes, centres: Float64Array, labels: Int32Array, side: number): void {
  const nearest = new Float32Array(labels.length).fill(Infinity);
  const scale = (COMPACTNESS / side) ** 2;
  for (let c = 0, k = 0; k < centres.length; c++, k += TERMS) {
    const cL = centres[k]!, ca = centres[k + 1]!, cb = centres[k + 2]!, cx = centres[k + 3]!, cy = centres[k + 4]!;
    const right = Math.min(width - 1, Math.ceil(cx + side));
    const bottom = Math.min(height - 1, Math.ceil(cy + side));
    for (let y = Math.max(0, Math.floor(cy - side)); y <= bottom; y++) for (let x = Math.max(0, Math.floor(cx - side)), i = y * width + x; x <= right; x++, i++) {
      const distance = (L[i]! - cL) ** 2 + (a[i]! - ca) ** 2 + (b[i]! - cb) ** 2 + scale * ((x - cx) ** 2 + (y - cy) ** 2);
      if (distance >= nearest[i]!) continue;
      nearest[i] = distance;
      labels[i] = c;
    }
  }
}

/** Each centre goes to the mean of its pixels; gives how many they are. */
function moveCentres([{ width, data: L }, { data: a }, { data: b }]: LabPlanes, centres: Float64Array, labels: Int32Array): Float64Array<ArrayBuffer> {
  const size = new Float64Array(centres.length / TERMS);
  centres.fill(0);
  labels.forEach((patch, i) => {
    const k = patch * TERMS;
    centres[k]! += L[i]!;
    centres[k + 1]! += a[i]!;
    centres[k + 2]! += b[i]!;
    centres[k + 3]! += i % width;
    centres[k + 4]! += Math.floor(i / width);
    size[patch]!++;
  });
  for (let k = 0; k < centres.length; k++) centres[k]! /= Math.max(1, size[Math.floor(k / TERMS)]!);
  return size;
}

function borderOf(width: number, height: number, labels: Int32Array, count: number): Uint8Array {
  const isOnBorder = new Uint8Array(count);
  for (let x = 0; x < width; x++) isOnBorder[labels[x]!] = isOnBorder[labels[(height - 1) * width + x]!] = 1;
  for (let y = 0; y < height; y++) isOnBorder[labels[y * width]!] = isOnBorder[labels[(y + 1) * width - 1]!] = 1;
  return isOnBorder;
}

function edgesOf(width: number, height: number, labels: Int32Array, count: number): [number, number][] {
  const touching = new Set<number>();
  const touch = (one: number, other: number) => {
    if (one !== other) touching.add(Math.min(one, other) * count + Math.max(one, other));
  };
  for (let y = 0, i = 0; y < height; y++) for (let x = 0; x < width; x++, i++) {
    if (x + 1 < width) touch(labels[i]!, labels[i + 1]!);
    if (y + 1 < height) touch(labels[i]!, labels[i + width]!);
  }
  return [...touching].map((pair) => [Math.floor(pair / count), pair % count]);
}
