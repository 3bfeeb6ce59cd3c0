import { rgbToLab } from '../oklab.ts';
import type { Raster } from '../raster.ts';
import { boxBlur, type Plane, plane, quantile } from './plane.ts';

/** L, a and b of OKLab, one plane each. */
export type LabPlanes = [Plane, Plane, Plane];

export function labPlanes({ width, height, channels, data }: Raster): LabPlanes {
  const lab: LabPlanes = [plane(width, height), plane(width, height), plane(width, height)];
  for (let i = 0, k = 0; i < width * height; i++, k += channels) {
    const color = rgbToLab(data[k]!, data[k + 1]!, data[k + 2]!);
    lab[0].data[i] = color[0];
    lab[1].data[i] = color[1];
    lab[2].data[i] = color[2];
  }
  return lab;
}

/**
 * How much each pixel draws the eye, 0..1, without learned weights: what is shut off from the border of the picture by edges,
 * what differs from the colours of its frame, what is sharper than its frame; more so towards the centre.
 * `contrast` is the highest barrier between the border and anything, in OKLab.
 */
export function saliency(lab: LabPlanes): { salient: Plane; contrast: number } {
  const { width, height } = lab[0];
  const barrier = barrierDistance(lab);
  const contrast = quantile(barrier.data, 0.985);
  const apart = normalise(barrier);
  const unlike = normalise(frameDistance(lab));
  const sharp = normalise(focus(lab[0]));
  const out = plane(width, height);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      const dx = (x + 0.5) / width - 0.5;
      const dy = (y + 0.5) / height - 0.5;
      const centre = Math.exp(-(dx * dx + dy * dy) / (2 * 0.3 * 0.3));
      out.data[i] = (0.45 * apart.data[i]! + 0.3 * unlike.data[i]! + 0.25 * sharp.data[i]!) * (0.4 + 0.6 * centre);
    }
  }
  return { salient: normalise(out), contrast };
}

function normalise({ width, height, data }: Plane): Plane {
  const low = quantile(data, 0.02);
  const range = quantile(data, 0.985) - low;
  const out = plane(width, height);
  if (range > 1e-6) for (let i = 0; i < data.length; i++) out.data[i] = Math.min(1, Math.max(0, (data[i]! - low) / range));
  return out;
}

/**
 * The least range of values that a path to the border must cross, summed over L, a and b.
 * Source: Zhang et al., "Minimum Barrier Salient Object Detection at 80 FPS" (ICCV 2015), three raster passes.
 */
export function barrierDistance(lab: LabPlanes): Plane {
  const { width, height } = lab[0];
  const total = plane(width, height);
  for (const { data } of lab) {
    const distance = new Float32Array(data.length).fill(Infinity);
    const highest = data.slice();
    const lowest = data.slice();
    for (let x = 0; x < width; x++) distance[x] = distance[data.length - 1 - x] = 0;
    for (let y = 0; y < height; y++) distance[y * width] = distance[(y + 1) * width - 1] = 0;
    const visit = (i: number, neighbour: number) => {
      const value = data[i]!;
      const high = highest[neighbour]! > value ? highest[neighbour]! : value;
      const low = lowest[neighbour]! < value ? lowest[neighbour]! : value;
      if (high - low < distance[i]!) {
        distance[i] = high - low;
        highest[i] = high;
        lowest[i] = low;
      }
    };
    for (let pass = 0; pass < 3; pass++) {
      if (pass % 2 === 0) {
        for (let y = 1; y < height - 1; y++) for (let x = 1, i = y * width + 1; x < width - 1; x++, i++) {
          visit(i, i - 1);
          visit(i, i - width);
        }
      } else {
        for (let y = height - 2; y > 0; y--) for (let x = width - 2, i = y * width + x; x > 0; x--, i--) {
          visit(i, i + 1);
          visit(i, i + width);
        }
      }
    }
    for (let i = 0; i < data.length; i++) total.data[i]! += distance[i]!;
  }
  return total;
}

const FRAME_SHARE = 0.04;

/** The indices of the pixels within 4 % of the border. */
function frameOf(width: number, height: number): number[] {
  const depth = Math.max(1, Math.round(Math.min(width, height) * FRAME_SHARE));
  const frame: number[] = [];
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) {
    if (x < depth || y < depth || x >= width - depth || y >= height - depth) frame.push(y * width + x);
  }
  return frame;
}

/** Distance to the nearest colour of the frame, in units of how much that colour varies there. */
function frameDistance(lab: LabPlanes): Plane {
  const { width, height } = lab[0];
  const clusters = frameColors(lab, frameOf(width, height));
  const [L, a, b] = [lab[0].data, lab[1].data, lab[2].data];
  const out = plane(width, height);
  for (let i = 0; i < out.data.length; i++) {
    let nearest = 12;
    for (const { color, spread } of clusters) nearest = Math.min(nearest, distance([L[i]!, a[i]!, b[i]!], color) / spread);
    out.data[i] = nearest;
  }
  return out;
}

type Color = [L: number, a: number, b: number];

/** Not by Math.hypot, whose care for numbers near the end of their range takes many times as long. */
const distance = (one: Color, other: Color) => Math.sqrt((one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2 + (one[2] - other[2]) ** 2);

function nearestOf(centres: readonly Color[], color: Color): number {
  let nearest = 0;
  for (let c = 1; c < centres.length; c++) if (distance(color, centres[c]!) < distance(color, centres[nearest]!)) nearest = c;
  return nearest;
}

/** At most four colours with more than 6 % of the frame each. */
function frameColors(lab: LabPlanes, frame: number[]): { color: Color; spread: number }[] {
  const colors = frame.map((i): Color => [lab[0].data[i]!, lab[1].data[i]!, lab[2].data[i]!]);
  // Farthest first, from the darkest: no chance involved, so that the same picture always gives the same cut-out.
  let centres = [colors.reduce((best, color) => (color[0] < best[0] ? color : best))];
  while (centres.length < 4) {
    const reach = colors.map((color) => distance(color, centres[nearestOf(centres, color)]!));
    centres.push(colors[reach.reduce((best, value, i) => (value > reach[best]! ? i : best), 0)]!);
  }
  let members: Color[][] = [];
  for (let round = 0; round < 8; round++) {
    members = centres.map(() => []);
    for (const color of colors) members[nearestOf(centres, color)]!.push(color);
    const mean = (own: Color[], k: number) => own.reduce((sum, color) => sum + color[k]!, 0) / own.length;
    centres = centres.map((centre, c): Color => (members[c]!.length === 0 ? centre : [mean(members[c]!, 0), mean(members[c]!, 1), mean(members[c]!, 2)]));
  }
  return centres.flatMap((color, c) => {
    const own = members[c]!;
    if (own.length <= 0.06 * colors.length) return [];
    return [{ color, spread: Math.max(0.02, own.reduce((sum, one) => sum + distance(one, color), 0) / own.length) }];
  });
}

/** How much sharper a neighbourhood is than three quarters of the frame. */
function focus(luma: Plane): Plane {
  const { width, height, data } = luma;
  const edges = plane(width, height);
  for (let y = 1; y < height - 1; y++) for (let x = 1, i = y * width + 1; x < width - 1; x++, i++) {
    edges.data[i] = Math.abs(4 * data[i]! - data[i - 1]! - data[i + 1]! - data[i - width]! - data[i + width]!);
  }
  const radius = Math.max(2, Math.round(Math.max(width, height) / 48));
  const blurred = boxBlur(boxBlur(edges, radius), radius);
  const usual = quantile(Float32Array.from(frameOf(width, height), (i) => blurred.data[i]!), 0.75);
  for (let i = 0; i < blurred.data.length; i++) blurred.data[i] = Math.max(0, blurred.data[i]! - usual);
  return blurred;
}

/** The threshold between two classes of 0..1 values, and the share of the variance that it explains. Source: Otsu (1979). */
export function otsu(values: Float32Array): { threshold: number; separation: number } {
  const bins = new Float64Array(256);
  for (const value of values) bins[Math.min(255, Math.round(value * 255))]!++;
  const mean = bins.reduce((sum, count, bin) => sum + count * bin, 0) / values.length;
  const variance = bins.reduce((sum, count, bin) => sum + count * (bin - mean) ** 2, 0) / values.length;
  let best = { threshold: 1, separation: 0 };
  let below = 0;
  let sumBelow = 0;
  for (let bin = 0; bin < 255; bin++) {
    below += bins[bin]! / values.length;
    sumBelow += (bins[bin]! * bin) / values.length;
    if (below <= 0 || below >= 1) continue;
    const between = (mean * below - sumBelow) ** 2 / (below * (1 - below));
    const separation = variance > 0 ? between / variance : 0;
    if (separation > best.separation) best = { threshold: (bin + 0.5) / 255, separation };
  }
  return best;
}
