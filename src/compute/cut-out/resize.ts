import sharp from 'sharp';
import type { Raster } from '../raster.ts';

/** The raster stretched to a size, by Lanczos; colours are weighted by alpha. */
export async function resize({ width, height, channels, data }: Raster, toWidth: number, toHeight: number): Promise<Raster> {
  const resized = await sharp(data, { raw: { width, height, channels }, limitInputPixels: false }).resize(toWidth, toHeight, { fit: 'fill' }).raw().toBuffer();
  return { width: toWidth, height: toHeight, channels, data: resized };
}

/** The raster with a longer side of at most `side`. */
export function shrink(raster: Raster, side: number): Promise<Raster> | Raster {
  const scale = side / Math.max(raster.width, raster.height);
  if (scale >= 1) return raster;
  return resize(raster, Math.max(1, Math.round(raster.width * scale)), Math.max(1, Math.round(raster.height * scale)));
}
