/** One number for each pixel, row by row from the top left. */
export interface Plane {
  width: number;
  height: number;
  data: Float32Array;
}

export const plane = (width: number, height: number): Plane => ({ width, height, data: new Float32Array(width * height) });

/** Mean over a square of `2 * radius + 1`, cut off at the edges; its cost does not depend on the radius. */
export function boxBlur({ width, height, data }: Plane, radius: number): Plane {
  // Zeros around what is summed up spare every test for the edges.
  const span = 2 * radius + 1;
  const line = new Float32Array(width + span);
  const rows = new Float32Array((height + span) * width);
  const columnShare = shares(width, radius);
  for (let y = 0; y < height; y++) {
    line.set(data.subarray(y * width, (y + 1) * width), radius + 1);
    let sum = 0;
    for (let x = 0; x < radius; x++) sum += line[x + radius + 1]!;
    for (let x = 0, i = (y + radius + 1) * width; x < width; x++, i++) {
      sum += line[x + span]! - line[x]!;
      rows[i] = sum * columnShare[x]!;
    }
  }
  // Column sums that move down row by row: walking down single columns would miss the cache at every step.
  const blurred = new Float32Array(width * height);
  const sums = new Float64Array(width);
  const rowShare = shares(height, radius);
  for (let y = -radius; y < height; y++) {
    const share = y < 0 ? 0 : rowShare[y]!;
    const enters = (y + span) * width;
    const at = Math.max(0, y) * width;
    for (let x = 0; x < width; x++) {
      const sum = sums[x]! + rows[enters + x]! - rows[at + x]!;
      sums[x] = sum;
      blurred[at + x] = sum * share;
    }
  }
  return { width, height, data: blurred };
}

/** The part that each value has in the mean around a place. */
function shares(length: number, radius: number): Float64Array {
  return Float64Array.from({ length }, (_, i) => 1 / (Math.min(length - 1, i + radius) - Math.max(0, i - radius) + 1));
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
