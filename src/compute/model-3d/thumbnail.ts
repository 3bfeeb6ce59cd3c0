import sharp from 'sharp';
import { rasterize, type Surface } from './rasterize.ts';

const SIDE = 512;

/** Writes a transparent WebP of 512 × 512 px that shows the surfaces, and gives its path. */
export async function drawThumbnail(surfaces: Surface[], path: string): Promise<string> {
  const { width, height, data } = rasterize(surfaces, SIDE);
  await sharp(data, { raw: { width, height, channels: 4 } }).webp({ quality: 88, effort: 2 }).toFile(path);
  return path;
}
