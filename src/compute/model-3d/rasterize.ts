import type { Raster } from '../raster.ts';
import { areaAverage } from '../resample.ts';
import type { Mesh } from './mesh.ts';

/** A mesh and what it looks like. */
export interface Surface extends Mesh {
  texture: Raster | null;
  /** Three numbers for each vertex, 0 to 1; null for white. */
  colors: Float32Array | null;
  /** Every other colour is multiplied by it, 0 to 1. */
  tint: [number, number, number];
}

type Vector = [number, number, number];

/** Seen a little from the side and from above. */
const YAW = -0.52;
const PITCH = 0.22;
/** Of the camera from the middle, in radii of what it looks at. */
const DISTANCE = 4;
const MARGIN = 0.04;
/** From the upper left, in front. */
const LIGHT: Vector = [-0.38, 0.58, 0.72];
const AMBIENT = 0.5;
const DIFFUSE = 0.56;
const OVERSAMPLING = 2;

/** A picture of surfaces, `side` pixels high and wide, with nothing behind: from the front, a little from one side and above, in soft light. */
export function rasterize(surfaces: Surface[], side: number): Raster {
  const size = side * OVERSAMPLING;
  const placed = place(surfaces, size);
  const pixels = new Uint8Array(size * size * 4);
  const nearest = new Float32Array(size * size);
  surfaces.forEach((surface, index) => {
    const { screen, lights } = placed[index]!;
    for (let k = 0; k < surface.indices.length; k += 3) draw(surface, screen, lights, surface.indices.subarray(k, k + 3), { size, pixels, nearest });
  });
  return areaAverage({ width: size, height: size, channels: 4, data: pixels }, side, side);
}

/** For each vertex its place on the screen with the inverse of its distance, and how much light falls on it. */
function place(surfaces: Surface[], size: number): { screen: Float32Array; lights: Float32Array }[] {
  const { middle, radius } = boundsOf(surfaces);
  const placed = surfaces.map(({ positions, normals }) => {
    const screen = new Float32Array(positions.length);
    const lights = new Float32Array(positions.length / 3);
    for (let k = 0; k < positions.length; k += 3) {
      const [x, y, z] = turn([positions[k]! - middle[0], positions[k + 1]! - middle[1], positions[k + 2]! - middle[2]]);
      const closeness = 1 / (DISTANCE - z / radius);
      screen.set([(x / radius) * closeness, (-y / radius) * closeness, closeness], k);
      const normal = turn([normals[k]!, normals[k + 1]!, normals[k + 2]!]);
      // What is seen from behind is lit as if it were its front.
      const facing = normal[2] < 0 ? -1 : 1;
      lights[k / 3] = AMBIENT + DIFFUSE * Math.max(0, facing * (normal[0] * LIGHT[0] + normal[1] * LIGHT[1] + normal[2] * LIGHT[2]));
    }
    return { screen, lights };
  });
  const [low, high] = [[Infinity, Infinity], [-Infinity, -Infinity]];
  for (const { screen } of placed) for (let k = 0; k < screen.length; k += 3) for (const axis of [0, 1]) {
    low[axis] = Math.min(low[axis]!, screen[k + axis]!);
    high[axis] = Math.max(high[axis]!, screen[k + axis]!);
  }
  const scale = ((1 - 2 * MARGIN) * size) / Math.max(1e-9, high[0]! - low[0]!, high[1]! - low[1]!);
  for (const { screen } of placed) for (let k = 0; k < screen.length; k += 3) for (const axis of [0, 1]) {
    screen[k + axis] = size / 2 + (screen[k + axis]! - (low[axis]! + high[axis]!) / 2) * scale;
  }
  return placed;
}

function boundsOf(surfaces: Surface[]): { middle: Vector; radius: number } {
  const low: Vector = [Infinity, Infinity, Infinity];
  const high: Vector = [-Infinity, -Infinity, -Infinity];
  for (const { positions } of surfaces) positions.forEach((value, k) => {
    low[k % 3] = Math.min(low[k % 3]!, value);
    high[k % 3] = Math.max(high[k % 3]!, value);
  });
  const middle = low.map((value, axis) => (value + high[axis]!) / 2) as Vector;
  return { middle, radius: Math.hypot(...low.map((value, axis) => high[axis]! - value)) / 2 || 1 };
}

function turn([x, y, z]: Vector): Vector {
  const across = x * Math.cos(YAW) + z * Math.sin(YAW);
  const depth = z * Math.cos(YAW) - x * Math.sin(YAW);
  return [across, y * Math.cos(PITCH) - depth * Math.sin(PITCH), y * Math.sin(PITCH) + depth * Math.cos(PITCH)];
}

interface Canvas {
  size: number;
  pixels: Uint8Array;
  /** The inverse distance of what each pixel shows; 0 for nothing. */
  nearest: Float32Array;
}

/** One triangle: every pixel whose middle it covers and that shows nothing nearer. */
function draw(surface: Surface, screen: Float32Array, lights: Float32Array, [a = 0, b = 0, c = 0]: Uint32Array, { size, pixels, nearest }: Canvas): void {
  const [ax, ay, aw] = [screen[3 * a]!, screen[3 * a + 1]!, screen[3 * a + 2]!];
  const [bx, by, bw] = [screen[3 * b]!, screen[3 * b + 1]!, screen[3 * b + 2]!];
  const [cx, cy, cw] = [screen[3 * c]!, screen[3 * c + 1]!, screen[3 * c + 2]!];
  const area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax);
  if (area === 0) return;
  const color: Vector = [0, 0, 0];
  for (let y = Math.max(0, Math.floor(Math.min(ay, by, cy))); y <= Math.min(size - 1, Math.max(ay, by, cy)); y++) {
    for (let x = Math.max(0, Math.floor(Math.min(ax, bx, cx))); x <= Math.min(size - 1, Math.max(ax, bx, cx)); x++) {
      const [px, py] = [x + 0.5, y + 0.5];
      const ofA = ((bx - px) * (cy - py) - (by - py) * (cx - px)) / area;
      const ofB = ((cx - px) * (ay - py) - (cy - py) * (ax - px)) / area;
      const ofC = 1 - ofA - ofB;
      if (ofA < 0 || ofB < 0 || ofC < 0) continue;
      const closeness = ofA * aw + ofB * bw + ofC * cw;
      const pixel = y * size + x;
      if (closeness <= nearest[pixel]!) continue;
      nearest[pixel] = closeness;
      // In perspective it is value times closeness that is linear on the screen.
      const [shareA, shareB, shareC] = [(ofA * aw) / closeness, (ofB * bw) / closeness, (ofC * cw) / closeness];
      const light = shareA * lights[a]! + shareB * lights[b]! + shareC * lights[c]!;
      paint(surface, [a, b, c], [shareA, shareB, shareC], color);
      for (let channel = 0; channel < 3; channel++) pixels[4 * pixel + channel] = Math.min(255, 255 * light * color[channel]!);
      pixels[4 * pixel + 3] = 255;
    }
  }
}

/** Writes the colour of a point of a triangle into `color`. */
function paint({ uvs, texture, colors, tint }: Surface, vertices: Vector, shares: Vector, color: Vector): void {
  const mix = (values: Float32Array, stride: number, part: number) => shares[0] * values[stride * vertices[0] + part]! + shares[1] * values[stride * vertices[1] + part]! + shares[2] * values[stride * vertices[2] + part]!;
  for (let channel = 0; channel < 3; channel++) color[channel] = tint[channel]! * (colors ? mix(colors, 3, channel) : 1);
  if (!texture) return;
  const u = mix(uvs, 2, 0), v = mix(uvs, 2, 1);
  const { width, height, channels, data } = texture;
  // Outside 0 to 1 a texture repeats itself.
  const x = (u === 1 ? 1 : u - Math.floor(u)) * width - 0.5, y = (v === 1 ? 1 : v - Math.floor(v)) * height - 0.5;
  const left = Math.min(width - 1, Math.max(0, Math.floor(x))), top = Math.min(height - 1, Math.max(0, Math.floor(y)));
  const right = Math.min(width - 1, left + 1), bottom = Math.min(height - 1, top + 1);
  const across = Math.min(1, Math.max(0, x - left)), down = Math.min(1, Math.max(0, y - top));
  for (let channel = 0; channel < 3; channel++) {
    const above = data[(top * width + left) * channels + channel]! * (1 - across) + data[(top * width + right) * channels + channel]! * across;
    const below = data[(bottom * width + left) * channels + channel]! * (1 - across) + data[(bottom * width + right) * channels + channel]! * across;
    color[channel]! *= (above * (1 - down) + below * down) / 255;
  }
}
