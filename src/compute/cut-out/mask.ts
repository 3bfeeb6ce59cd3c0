import { type Plane, plane } from './plane.ts';

/** Grey closing, then opening, by 3 x 3: cracks close, specks and whiskers go, the outline stays. */
export function smoothOutline(mask: Plane): Plane {
  return spread(spread(spread(spread(mask, Math.max), Math.min), Math.min), Math.max);
}

/** The highest (or lowest) value of each 3 x 3 neighbourhood. */
function spread({ width, height, data }: Plane, pick: (one: number, other: number) => number): Plane {
  const rows = new Float32Array(data.length);
  for (let y = 0; y < height; y++) for (let x = 0, i = y * width; x < width; x++, i++) {
    const left = data[x > 0 ? i - 1 : i]!;
    const right = data[x < width - 1 ? i + 1 : i]!;
    rows[i] = pick(pick(left, right), data[i]!);
  }
  const out = plane(width, height);
  for (let y = 0; y < height; y++) for (let x = 0, i = y * width; x < width; x++, i++) {
    const above = rows[y > 0 ? i - width : i]!;
    const below = rows[y < height - 1 ? i + width : i]!;
    out.data[i] = pick(pick(above, below), rows[i]!);
  }
  return out;
}

interface Region {
  pixels: number[];
  touchesBorder: boolean;
}

/** The connected regions (by sides) of the pixels that `belongs` is true for. */
export function regionsOf({ width, height }: Plane, belongs: (i: number) => boolean): Region[] {
  const seen = new Uint8Array(width * height);
  const regions: Region[] = [];
  for (let start = 0; start < seen.length; start++) {
    if (seen[start] || !belongs(start)) continue;
    seen[start] = 1;
    const region: Region = { pixels: [start], touchesBorder: false };
    for (let n = 0; n < region.pixels.length; n++) {
      const i = region.pixels[n]!;
      const x = i % width;
      const visit = (neighbour: number) => {
        if (seen[neighbour] || !belongs(neighbour)) return;
        seen[neighbour] = 1;
        region.pixels.push(neighbour);
      };
      if (x === 0 || x === width - 1 || i < width || i >= width * (height - 1)) region.touchesBorder = true;
      if (x > 0) visit(i - 1);
      if (x < width - 1) visit(i + 1);
      if (i >= width) visit(i - width);
      if (i < width * (height - 1)) visit(i + width);
    }
    regions.push(region);
  }
  return regions;
}

/** Holes up to this share of the image are specks and glints. */
const SPECK_SHARE = 0.0003;
/** Larger ones, up to this, are filled where their colours are not clearly those of the background: what is seen between spokes stays a hole. */
const HOLE_SHARE = 0.02;
const LEAST_LIKENESS = -1;

/**
 * Leaves the parts of a mask that matter, those with at least 8 % of the saliency of the greatest part, and fills its holes.
 * `evidence` says of each pixel how much likelier its colour is for the subject than for the background, as a logarithm.
 */
export function keepSubject(mask: Plane, salient: Plane, evidence: Float32Array): Plane {
  const kept: Plane = { ...mask, data: mask.data.slice() };
  const weight = ({ pixels }: Region) => pixels.reduce((sum, i) => sum + salient.data[i]!, 0);
  const parts = regionsOf(mask, (i) => mask.data[i]! >= 0.5).map((region) => ({ region, weight: weight(region) }));
  const greatest = Math.max(...parts.map((part) => part.weight), 0);
  for (const part of parts) if (part.weight < 0.08 * greatest) for (const i of part.region.pixels) kept.data[i] = 0;

  for (const hole of regionsOf(kept, (i) => kept.data[i]! < 0.5)) {
    const share = hole.pixels.length / mask.data.length;
    const belongs = hole.pixels.reduce((sum, i) => sum + evidence[i]!, 0) / hole.pixels.length > LEAST_LIKENESS;
    if (!hole.touchesBorder && (share < SPECK_SHARE || (share < HOLE_SHARE && belongs))) for (const i of hole.pixels) kept.data[i] = 1;
  }
  return kept;
}

/** Share of the image that a mask covers. */
export function coverageOf({ data }: Plane): number {
  let sum = 0;
  for (const value of data) sum += value;
  return sum / data.length;
}
