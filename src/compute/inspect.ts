import { readFile } from 'node:fs/promises';
import { UserError } from '../errors.ts';
import { type DecodeLimits, decodePixels, readHeader } from './decode.ts';
import { type Exif, readExif } from './exif.ts';
import { type ImageFormat, imageFormats } from './sniff.ts';

/** What an uploaded image may be. */
export interface UploadLimits extends DecodeLimits {
  minSide: number;
}

/** What an upload knows of an image once it is accepted. */
export interface Inspection {
  format: ImageFormat;
  contentType: string;
  /** Upright. */
  width: number;
  height: number;
  /** EXIF orientation, 1 to 8; 1 is upright. */
  orientation: number;
  frames: number;
  hasAlpha: boolean;
  damaged: boolean;
  exif: Exif | null;
}

const PROOF_SIDE = 256;

/**
 * The facts of an image file that may come in; throws the `UserError` that refuses it otherwise. Limits are asked before
 * decoding; then the whole file is decoded once to a small raster, because a header alone proves nothing.
 */
export async function inspectImage({ path, limits }: { path: string; limits: UploadLimits }): Promise<Inspection> {
  const header = await readHeader(await readFile(path), limits);
  const { format, width, height, orientation, frames } = header;
  if (Math.min(width, height) < limits.minSide) {
    throw new UserError('TOO_SMALL', `Image dimensions (${width}×${height}) are below minimum (${limits.minSide}×${limits.minSide})`);
  }
  const { hasAlpha, damaged } = await decodePixels(header, { maxSide: PROOF_SIDE });
  const exif = header.exif && readExif(header.exif);
  return { format, contentType: imageFormats[format].contentType, width, height, orientation, frames, hasAlpha, damaged, exif };
}
