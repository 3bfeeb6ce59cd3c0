import type { Raster } from './raster.ts';

const tolerance = 16;
const evenShare = 0.97;
const deepest = 0.4;
const leastSide = 32;
const leastArea = 0.15;

/** How many lines of one side are border, plus one for its soft edge; 0 where there is none. `at(line, i)` is the index of the first channel of a pixel. */
function borderDepth(data: Uint8Array, lines: number, length: number, at: (line: number, i: number) => number): number {
  const median = [0, 1, 2].map((channel) => Uint8Array.from({ length }, (_, i) => data[at(0, i) + channel]!).sort()[length >> 1]!);
  const [red = 0, green = 0, blue = 0] = median;
  const limit = Math.floor(lines * deepest);
  let depth = 0;
  for (; depth < limit; depth++) {
    let even = 0;
    for (let i = 0; i < length; i++) {
      const k = at(depth, i);
      if (Math.abs(data[k]! - red) <= tolerance && Math.abs(data[k + 1]! - green) <= tolerance && Math.abs(data[k + 2]! - blue) <= tolerance) even++;
    }
    if (even < evenShare * length) break;
  }
  return depth > 0 ? depth + 1 : 0;
}

/**
 * The raster without a border of one colour, so that a framed copy looks like its original. Per side the colour is the channel-wise
 * median of the outermost line; the border goes on while 97 % of a line is within 16 of it, up to 40 % of that dimension.
 * The same raster comes back where nothing is trimmed, or where less than 32 px or 15 % of the area would be left. Alpha is ignored.
 */
export function trimBorder(raster: Raster): Raster {
  const { width, height, channels, data } = raster;
  const index = (x: number, y: number) => (y * width + x) * channels;
  const top = borderDepth(data, height, width, (line, i) => index(i, line));
  const bottom = borderDepth(data, height, width, (line, i) => index(i, height - 1 - line));
  const left = borderDepth(data, width, height, (line, i) => index(line, i));
  const right = borderDepth(data, width, height, (line, i) => index(width - 1 - line, i));

  const restWidth = width - left - right;
  const restHeight = height - top - bottom;
  const unchanged = restWidth === width && restHeight === height;
  if (unchanged || restWidth < leastSide || restHeight < leastSide || restWidth * restHeight < leastArea * width * height) return raster;
  const rest = new Uint8Array(restWidth * restHeight * channels);
  for (let y = 0; y < restHeight; y++) {
    rest.set(data.subarray(index(left, top + y), index(left + restWidth, top + y)), y * restWidth * channels);
  }
  return { width: restWidth, height: restHeight, channels, data: rest };
}
