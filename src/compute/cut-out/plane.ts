/** One number for each pixel, row by row from the top left. */
export interface Plane {
  width: number;
  height: number;
  data: Float32Array;
}

export const plane = (width: number, height: number): Plane => ({ width, height, data: new Float32Array(width * height) });

/** Mean over a square of `2 * radius + 1`, cut off at the edges; its cost does not depend on the radius. */
export function boxBlur({ width, height, data }: Plane, radius: number): Plane {
  const rows = new Float32Array(data.length);
  for (let y = 0; y < height; y++) slide(data, rows, y * width, width, radius);
  const out = plane(width, height);
  // Column sums that move down row by row: walking down single columns would miss the cache at every step.
  const sums = new Float64Array(width);
  const nothing = new Float32Array(width);
  const row = (y: number) => (y >= 0 && y < height ? rows.subarray(y * width, (y + 1) * width) : nothing);
  for (let y = -radius; y < height; y++) {
    const enters = row(y + radius);
    const leaves = row(y - radius - 1);
    const share = 1 / (Math.min(height - 1, y + radius) - Math.max(0, y - radius) + 1);
    for (let x = 0; x < width; x++) sums[x]! += enters[x]! - leaves[x]!;
    if (y >= 0) for (let x = 0, i = y * width; x < width; x++, i++) out.data[i] = sums[x]! * share;
  }
  return out;
}

/** The mean along one row. */
function slide(from: Float32Array, to: Float32Array, start: number, length: number, radius: number): void {
  const end = start + length;
  let sum = 0;
  for (let i = start; i < Math.min(start + radius, end); i++) sum += from[i]!;
  const mean = (i: number) => sum / (Math.min(end - 1, i + radius) - Math.max(start, i - radius) + 1);
  let i = start;
  for (; i <= Math.min(start + radius, end - 1); i++) {
    if (i + radius < end) sum += from[i + radius]!;
    to[i] = mean(i);
  }
  const share = 1 / (2 * radius + 1);
  for (; i < end - radius; i++) {
    sum += from[i + radius]! - from[i - radius - 1]!;
    to[i] = sum * share;
  }
  for (; i < end; i++) {
    sum -= from[i - radius - 1]!;
    to[i] = mean(i);
  }
}

/** Bilinear, with the centres of the corner pixels held: for smooth planes only, it does not average when it shrinks. */
export function stretch(from: Plane, width: number, height: number): Plane {
  const out = plane(width, height);
  const columns = Array.from({ length: width }, (_, x) => place(x, width, from.width));
  for (let y = 0; y < height; y++) {
    const row = place(y, height, from.height);
    const above = row.low * from.width;
    const below = row.high * from.width;
    for (let x = 0; x < width; x++) {
      const { low, high, share } = columns[x]!;
      const top = from.data[above + low]! * (1 - share) + from.data[above + high]! * share;
      const bottom = from.data[below + low]! * (1 - share) + from.data[below + high]! * share;
      out.data[y * width + x] = top * (1 - row.share) + bottom * row.share;
    }
  }
  return out;
}

/** Where the middle of output pixel `at` lies between two input pixels. */
export function place(at: number, size: number, from: number): { low: number; high: number; share: number } {
  const position = Math.min(from - 1, Math.max(0, ((at + 0.5) * from) / size - 0.5));
  const low = Math.floor(position);
  return { low, high: Math.min(from - 1, low + 1), share: position - low };
}

/** The value below which `share` (0..1) of the values lie, to a thousandth of their range. */
export function quantile(values: Float32Array, share: number): number {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (!(high > low)) return high;
  const bins = new Uint32Array(1001);
  const scale = 1000 / (high - low);
  for (const value of values) bins[((value - low) * scale) | 0]!++;
  let left = share * values.length;
  for (let bin = 0; bin < bins.length; bin++) {
    left -= bins[bin]!;
    if (left <= 0) return low + bin / scale;
  }
  return high;
}
