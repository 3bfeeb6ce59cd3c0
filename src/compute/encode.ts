import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { ProviderError } from '../errors.ts';
import { type DecodeLimits, decodePixels, type Header, readHeader } from './decode.ts';
import type { ImageFormat } from './sniff.ts';

/** What somebody outside takes as an image. */
export interface Acceptance {
  formats: ImageFormat[];
  maxBytes: number;
  minSide: number;
  maxSide: number;
}

export interface EncodedImage {
  bytes: Buffer;
  /** Of these bytes; the shape is that of the upright picture. */
  width: number;
  height: number;
}

const encodedSide = 2048;
const quality = 88;

/**
 * The picture in a file as somebody outside takes it, upright and without anything but its picture: camera, place and owner are no
 * business of theirs. Bytes that are so already stay as they are; others become a JPEG on white of at most 2048 px, smaller if it must be.
 */
export async function encodeImage({ path, limits, accepts }: { path: string; limits: DecodeLimits; accepts: Acceptance }): Promise<EncodedImage> {
  const header = await readHeader(await readFile(path), limits);
  if (await isWelcome(header, accepts)) return { bytes: header.bytes, width: header.width, height: header.height };
  const { raster } = await decodePixels(header, { maxSide: Math.min(encodedSide, accepts.maxSide) });
  for (let side = Math.max(raster.width, raster.height); ; side = Math.round(side * 0.7)) {
    const { data, info } = await sharp(raster.data, { raw: { width: raster.width, height: raster.height, channels: raster.channels } })
      .resize({ width: side, height: side, fit: 'inside', withoutEnlargement: true })
      .flatten({ background: 'white' })
      .jpeg({ quality })
      .toBuffer({ resolveWithObject: true });
    if (Math.min(info.width, info.height) < accepts.minSide) {
      throw new ProviderError('PROVIDER_REFUSED', `Expected a picture of at least ${accepts.minSide}×${accepts.minSide} px but received ${header.width}×${header.height}, which became ${info.width}×${info.height}`, { retryable: false });
    }
    if (data.length <= accepts.maxBytes) return { bytes: data, width: info.width, height: info.height };
  }
}

async function isWelcome({ format, bytes, width, height, orientation, frames }: Header, accepts: Acceptance): Promise<boolean> {
  const fits = bytes.length <= accepts.maxBytes && Math.min(width, height) >= accepts.minSide && Math.max(width, height) <= accepts.maxSide;
  if (!fits || !accepts.formats.includes(format) || orientation !== 1 || frames > 1) return false;
  if (format === 'BMP') return true; // it has no place for anything else, and sharp cannot read it
  const { exif, xmp, iptc } = await sharp(bytes).metadata();
  return !exif && !xmp && !iptc;
}
