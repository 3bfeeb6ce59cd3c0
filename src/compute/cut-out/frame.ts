import type { Raster } from '../raster.ts';

/** In pixels of the picture. A frame may begin before it and end after it. */
export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** An alpha that nobody sees does not widen the box. */
const VISIBLE = 8;

/** The smallest box around what is visible; null where nothing is. */
export function boxOf({ width, height, data }: Raster): Box | null {
  let left = width, right = -1, top = height, bottom = -1;
  for (let y = 0, k = 3; y < height; y++) for (let x = 0; x < width; x++, k += 4) {
    if (data[k]! <= VISIBLE) continue;
    if (x < left) left = x;
    if (x > right) right = x;
    if (y < top) top = y;
    bottom = y;
  }
  return right < 0 ? null : { x: left, y: top, width: right - left + 1, height: bottom - top + 1 };
}

/** The part of a raster that fractions (0..1) name, at least one pixel. */
export function boxOfFractions({ width, height }: Raster, part: Box): Box {
  const x = Math.min(width - 1, Math.round(part.x * width));
  const y = Math.min(height - 1, Math.round(part.y * height));
  return { x, y, width: Math.max(1, Math.round((part.x + part.width) * width) - x), height: Math.max(1, Math.round((part.y + part.height) * height) - y) };
}

/** A box with a margin on every side, and at least `below` under it. */
export function padBox({ x, y, width, height }: Box, margin: number, below: number): Box {
  return { x: x - margin, y: y - margin, width: width + 2 * margin, height: height + margin + Math.max(margin, below) };
}

/** The smallest box of a shape (width over height) that has the given one in its middle. */
export function widenBox({ x, y, width, height }: Box, shape: number): Box {
  const wide = Math.max(width, Math.round(height * shape));
  const high = Math.max(height, Math.round(width / shape));
  return { x: x - ((wide - width) >> 1), y: y - ((high - height) >> 1), width: wide, height: high };
}

/** A box in a picture that is scaled: never larger than the scale says, at least one pixel. */
export function scaleBox({ x, y, width, height }: Box, scale: number): Box {
  return { x: Math.floor(x * scale), y: Math.floor(y * scale), width: Math.max(1, Math.floor(width * scale)), height: Math.max(1, Math.floor(height * scale)) };
}

/** The part of a raster within a box; all zeros, which is transparent, where the box reaches beyond it. The same raster where nothing changes. */
export function cropRaster(raster: Raster, frame: Box): Raster {
  const { width, height, channels, data } = raster;
  if (frame.x === 0 && frame.y === 0 && frame.width === width && frame.height === height) return raster;
  const out = new Uint8Array(frame.width * frame.height * channels);
  const from = Math.max(0, frame.x);
  const to = Math.min(width, frame.x + frame.width);
  for (let y = Math.max(0, frame.y); y < Math.min(height, frame.y + frame.height); y++) {
    out.set(data.subarray((y * width + from) * channels, (y * width + to) * channels), ((y - frame.y) * frame.width + from - frame.x) * channels);
  }
  return { width: frame.width, height: frame.height, channels, data: out };
}
