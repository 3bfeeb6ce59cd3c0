import sharp, { type Sharp } from 'sharp';
import type { Raster } from '../src/compute/raster.ts';

/** The raster that hashes and vectors are made of: upright, opaque, at most 512 px. */
export async function raster512(bytes: Buffer): Promise<Raster> {
  const { data, info } = await sharp(bytes).autoOrient().flatten({ background: '#ffffff' }).toColourspace('srgb')
    .resize(512, 512, { fit: 'inside', withoutEnlargement: true }).raw().toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, channels: 3, data };
}

export async function pngOf({ width, height, channels, data }: Raster): Promise<Buffer> {
  return sharp(data, { raw: { width, height, channels } }).png({ compressionLevel: 1 }).toBuffer();
}

function crop(keep: number) {
  return (image: Sharp, width: number, height: number) => image.extract({
    left: Math.floor(width * (1 - keep) * 0.3), top: Math.floor(height * (1 - keep) * 0.7), width: Math.round(width * keep), height: Math.round(height * keep),
  });
}

/** What people do to pictures before they upload them again. */
const edits: Record<string, (image: Sharp, width: number, height: number) => Sharp> = {
  resized: (image, width) => image.resize(Math.round(width / 2)),
  recompressed: (image) => image,
  'cropped to 90 %': crop(0.9),
  'cropped to 75 %': crop(0.75),
  'rotated by 5 degrees': (image) => image.rotate(5, { background: '#000000' }),
  mirrored: (image) => image.flop(),
  brightened: (image) => image.linear(1.3, 0),
  contrasted: (image) => image.linear(1.5, -64),
  blurred: (image, width) => image.blur(Math.max(0.4, width * 0.006)),
  grey: (image) => image.greyscale(),
  watermarked: (image, width, height) => image.composite([{ input: Buffer.from(
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"><path d="M${width * 0.2} ${height * 0.55}L${width * 0.8} ${height * 0.4}M${width * 0.3} ${height * 0.65}L${width * 0.7} ${height * 0.55}" stroke="#fff" stroke-opacity=".6" stroke-width="${height * 0.05}"/></svg>`,
  ) }]),
  bordered: (image, width, height) => {
    const [across, down] = [Math.round(width * 0.08), Math.round(height * 0.08)];
    return image.extend({ left: across, right: across, top: down, bottom: down, background: '#ffffff' });
  },
};
export const editNames = Object.keys(edits);

/** The raster of an edited copy that went through a JPEG. */
export async function editedCopy(original: Raster, edit: string): Promise<Raster> {
  const { width, height, channels, data } = original;
  const image = edits[edit]!(sharp(data, { raw: { width, height, channels } }), width, height);
  return raster512(await image.toColourspace('srgb').jpeg({ quality: edit === 'recompressed' ? 30 : 85 }).toBuffer());
}

export const cosine = (one: number[], other: number[]) => one.reduce((sum, value, i) => sum + value * other[i]!, 0);

/** A raster of one colour. */
export function plain(width: number, height: number, color: number[]): Raster {
  const channels = color.length === 4 ? 4 : 3;
  return { width, height, channels, data: Uint8Array.from({ length: width * height * channels }, (_, k) => color[k % channels]!) };
}
