import sharp, { type Sharp } from 'sharp';
import { UserError } from '../errors.ts';
import { decodeBmp, readBmpHeader } from './bmp.ts';
import { decodeHeic } from './heic.ts';
import type { Raster } from './raster.ts';
import { type ImageFormat, imageFormats, sniffFormat } from './sniff.ts';
import { stripPng } from './strip-png.ts';

// One thread for each image: two children beat two threads, and nothing of one image outlives it.
sharp.cache(false);
sharp.concurrency(1);

/** What an image may be. Asked of its header, before a pixel is decoded. */
export interface DecodeLimits {
  maxSide: number;
  maxPixels: number;
  /** AVIF and HEIC decode into far more memory than others: 1 KB of AVIF became 1.2 GB at 64 MP. */
  maxAvifPixels: number;
  maxFrames: number;
}

/** What a file says of itself. It proves nothing yet: a broken file often has a sound header. */
export interface Header {
  format: ImageFormat;
  /** The bytes to decode; for a PNG without the chunks that pixels do not need. */
  bytes: Buffer;
  /** Size with the EXIF orientation applied. */
  width: number;
  height: number;
  /** EXIF orientation, 1 to 8; 1 where there is none. */
  orientation: number;
  /** Frames of an animation. Pages of a TIFF do not count: the first one is the image. */
  frames: number;
  hasAlpha: boolean;
  exif: Buffer | null;
}

export interface DecodedImage {
  raster: Raster;
  /** Size of the whole image, upright. */
  width: number;
  height: number;
  /** The file has an alpha channel; then the raster has four channels, even where all of it is opaque. */
  hasAlpha: boolean;
  frames: number;
  /** Part of the bytes is missing or wrong; the pixels are what a tolerant decoder could save. */
  damaged: boolean;
}

const readable = Object.keys(imageFormats).filter((format) => format !== 'HEIC').join(', ');
const corrupt = (format: ImageFormat, cause?: unknown) => new UserError('CORRUPT', `The file claims to be ${format} but cannot be decoded`, { hint: 'Open it in an image editor and save it again', cause });

/** The header of an image within the limits. Decodes no pixels, so it is safe on a decompression bomb. */
export async function readHeader(bytes: Buffer, limits: DecodeLimits): Promise<Header> {
  const header = await parseHeader(bytes);
  checkLimits(header, limits);
  return header;
}

async function parseHeader(original: Buffer): Promise<Header> {
  if (original.length === 0) throw new UserError('EMPTY', 'Expected an image but received 0 bytes');
  const sniffed = sniffFormat(original);
  if (!sniffed?.accepted) {
    throw new UserError('UNSUPPORTED_TYPE', `Unsupported image format: ${sniffed?.format ?? 'unknown'}`, { hint: `Accepted are ${readable}` });
  }
  const { format } = sniffed;
  if (format === 'BMP') return { format, bytes: original, ...readBmpHeader(original), orientation: 1, frames: 1, exif: null };

  const bytes = format === 'PNG' ? stripPng(original) : original;
  const metadata = await sharp(bytes, { limitInputPixels: false }).metadata().catch((error: unknown) => {
    throw corrupt(format, error);
  });
  const { width, height } = metadata.autoOrient;
  if (!(width > 0 && height > 0)) throw corrupt(format);
  const animated = format === 'GIF' || format === 'WEBP';
  return {
    format,
    bytes,
    width,
    height,
    orientation: metadata.orientation ?? 1,
    frames: animated ? (metadata.pages ?? 1) : 1,
    hasAlpha: metadata.hasAlpha,
    exif: metadata.exif ?? null,
  };
}

function checkLimits({ format, width, height, frames }: Header, limits: DecodeLimits): void {
  const costly = format === 'AVIF' || format === 'HEIC';
  const maxPixels = costly ? Math.min(limits.maxPixels, limits.maxAvifPixels) : limits.maxPixels;
  const refuse = (message: string, hint: string) => new UserError('TOO_MANY_PIXELS', message, { hint });
  if (width * height > maxPixels) {
    throw refuse(`Image dimensions (${width}×${height}, ${megapixels(width * height)}) exceed maximum (${megapixels(maxPixels)}${costly ? ` for ${format}` : ''})`, 'Scale the image down');
  }
  const side = Math.max(width, height);
  if (side > limits.maxSide) throw refuse(`Image side (${side} px) exceeds maximum (${limits.maxSide} px)`, 'Scale the image down');
  if (frames > limits.maxFrames) throw refuse(`Image frames (${frames}) exceed maximum (${limits.maxFrames})`, 'Shorten the animation');
}

/** Rounded up, so that an image just over the limit does not read as equal to it. */
const megapixels = (pixels: number) => `${Math.ceil(pixels / 1e4) / 100} MP`;

/**
 * The first frame of an image as upright 8-bit sRGB whose longer side is at most `maxSide`; never enlarged.
 * Throws `UserError` where the bytes are no image, break a limit, or give no pixels at all.
 */
export async function decodeImage(bytes: Buffer, limits: DecodeLimits, options: { maxSide: number }): Promise<DecodedImage> {
  return decodePixels(await readHeader(bytes, limits), options);
}

/** As `decodeImage`, for a header that was read before. */
export async function decodePixels(header: Header, { maxSide }: { maxSide: number }): Promise<DecodedImage> {
  const { result: raster, damaged } = await usePixels(header, (image) => shrink(image, maxSide));
  return { raster, width: header.width, height: header.height, hasAlpha: raster.channels === 4, frames: header.frames, damaged };
}

/** What `use` makes of the upright first frame. For damaged bytes it is called a second time, with what a tolerant decoder can save. */
export async function usePixels<Result>({ format, bytes, hasAlpha }: Header, use: (image: Sharp) => Promise<Result>): Promise<{ result: Result; damaged: boolean }> {
  if (format === 'BMP') {
    const { raster, damaged } = decodeBmp(bytes);
    return { result: await use(fromRaster(raster)), damaged };
  }
  if (format === 'HEIC') {
    const image = fromRaster(await decodeHeic(bytes));
    return { result: await use(hasAlpha ? image : image.removeAlpha()), damaged: false };
  }

  const decode = (failOn: 'error' | 'none') => use(sharp(bytes, { failOn, limitInputPixels: false, sequentialRead: true }).autoOrient());
  try {
    return { result: await decode('error'), damaged: false };
  } catch (error) {
    const result = await decode('none').catch(() => {
      throw corrupt(format, error);
    });
    return { result, damaged: true };
  }
}

const fromRaster = ({ data, width, height, channels }: Raster) => sharp(data, { raw: { width, height, channels }, limitInputPixels: false });

async function shrink(image: Sharp, maxSide: number): Promise<Raster> {
  const { data, info } = await image
    .resize({ width: maxSide, height: maxSide, fit: 'inside', withoutEnlargement: true })
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  if (info.channels !== 3 && info.channels !== 4) throw new Error(`Expected 3 or 4 channels but the decoder gave ${info.channels}`);
  return { width: info.width, height: info.height, channels: info.channels, data };
}
