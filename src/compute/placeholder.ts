import { rgbaToThumbHash, thumbHashToAverageRGBA, thumbHashToDataURL } from 'thumbhash';
import type { Raster } from './raster.ts';
import { areaAverage } from './resample.ts';

const longestSide = 100;

/** A picture in about 25 bytes, as base64, to show while the true one loads; it keeps the shape and transparency. Source: Evan Wallace, ThumbHash (2023). */
export function thumbHash(raster: Raster): string {
  const scale = Math.min(1, longestSide / Math.max(raster.width, raster.height));
  const { width, height, channels, data } = areaAverage(raster, Math.max(1, Math.round(raster.width * scale)), Math.max(1, Math.round(raster.height * scale)));
  const rgba = new Uint8Array(width * height * 4).fill(255);
  for (let pixel = 0; pixel < width * height; pixel++) rgba.set(data.subarray(pixel * channels, (pixel + 1) * channels), pixel * 4);
  return Buffer.from(rgbaToThumbHash(width, height, rgba)).toString('base64');
}

/** A ThumbHash as a small PNG in a data URI. */
export function thumbHashToDataUri(base64: string): string {
  return thumbHashToDataURL(Buffer.from(base64, 'base64'));
}

/** The mean colour of a ThumbHash as "#rrggbb". */
export function thumbHashToHex(base64: string): string {
  const { r, g, b } = thumbHashToAverageRGBA(Buffer.from(base64, 'base64'));
  return `#${[r, g, b].map((channel) => Math.round(channel * 255).toString(16).padStart(2, '0')).join('')}`;
}
