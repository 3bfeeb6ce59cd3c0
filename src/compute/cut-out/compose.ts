import { join } from 'node:path';
import { readFile, stat } from 'node:fs/promises';
import sharp, { type OverlayOptions, type Sharp } from 'sharp';
import { decodeImage, type DecodeLimits } from '../decode.ts';
import type { Raster } from '../raster.ts';
import { type Box, cropRaster, padBox, scaleBox, widenBox } from './frame.ts';
import { resize } from './resize.ts';

export interface ComposeOptions {
  output: 'CUTOUT' | 'MASK' | 'BOTH';
  /** A JPEG has no transparency: it needs a background, and its mask is a PNG. */
  format: 'PNG' | 'WEBP' | 'JPEG';
  /** What lies under the subject: nothing, a colour as "#rrggbb", or the image in a file, which is scaled to cover. */
  background: null | { color: string } | { path: string };
  /** Leaves away what is empty around the subject. */
  trim: boolean;
  /** The margin that a trimmed picture keeps, as a fraction of the subject's longer side. It may reach beyond the original picture. */
  padding: number;
  /** Width over height: the frame grows to this shape, the subject stays in its middle. Null leaves it as it is. */
  aspectRatio: number | null;
  /** A soft shadow below the subject. */
  shadow: boolean;
}

export interface CutOutFile {
  kind: 'cutout' | 'mask';
  path: string;
  width: number;
  height: number;
  contentType: string;
  byteSize: number;
}

/** Larger pictures and frames come out at this longer side: alpha, colours and encoder hold some 15 bytes for each pixel. */
export const OUTPUT_SIDE = 4096;

/** Shadows scale with the subject: how far they fall and how soft they are, as fractions of its longer side. */
const SHADOW = { fall: 0.025, softness: 0.02, opacity: 0.4 };

/** Writes the files that were asked for; cut-out and mask have the same frame, so that one fits the other. A frame that grew beyond the limits is scaled down with its subject. */
export async function composeFiles(subject: Raster, box: Box, options: ComposeOptions, limits: DecodeLimits, folder: string): Promise<CutOutFile[]> {
  const longer = Math.max(box.width, box.height);
  const frame = frameOf(subject, box, longer, options);
  const scale = Math.min(1, Math.min(OUTPUT_SIDE, limits.maxSide) / Math.max(frame.width, frame.height), Math.sqrt(limits.maxPixels / (frame.width * frame.height)));
  const { width, height } = scaleBox({ x: 0, y: 0, width: subject.width, height: subject.height }, scale);
  const framed = cropRaster(scale < 1 ? await resize(subject, width, height) : subject, scaleBox(frame, scale));
  const files: CutOutFile[] = [];
  if (options.output !== 'MASK') files.push(await write(await layer(framed, longer * scale, options, limits), 'cutout', options.format, folder));
  if (options.output !== 'CUTOUT') files.push(await write(asImage(framed).extractChannel(3), 'mask', options.format === 'JPEG' ? 'PNG' : options.format, folder));
  return files;
}

function frameOf(subject: Raster, box: Box, longer: number, { shadow, trim, padding, aspectRatio }: ComposeOptions): Box {
  const below = shadow ? Math.ceil((SHADOW.fall + 2 * SHADOW.softness) * longer) : 0;
  const trimmed = trim ? padBox(box, Math.round(padding * longer), below) : { x: 0, y: 0, width: subject.width, height: subject.height };
  return aspectRatio ? widenBox(trimmed, aspectRatio) : trimmed;
}

const asImage = ({ width, height, channels, data }: Raster) => sharp(data, { raw: { width, height, channels }, limitInputPixels: false });

async function layer(subject: Raster, longer: number, { background, shadow }: ComposeOptions, limits: DecodeLimits): Promise<Sharp> {
  if (!shadow && !background) return asImage(subject);
  if (!shadow && background && 'color' in background) return asImage(subject).flatten({ background: background.color });
  const { width, height } = subject;
  const ground = background && 'path' in background
    ? await coverWith(background.path, width, height, limits)
    : sharp({ create: { width, height, channels: 4, background: background?.color ?? '#00000000' } });
  const layers: OverlayOptions[] = [];
  if (shadow) layers.push(overlay(castShadow(subject, longer, await softAlpha(subject, longer))));
  layers.push(overlay(subject));
  const image = ground.composite(layers);
  // A second pipeline, because sharp takes away alpha before it composes.
  return background ? asImage(await rawOf(image)).removeAlpha() : image;
}

const overlay = ({ width, height, channels, data }: Raster): OverlayOptions => ({ input: Buffer.from(data.buffer, data.byteOffset, data.byteLength), raw: { width, height, channels }, left: 0, top: 0 });

async function rawOf(image: Sharp): Promise<Raster> {
  const { data, info } = await image.ensureAlpha().raw().toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, channels: 4, data };
}

async function softAlpha(subject: Raster, longer: number): Promise<Uint8Array> {
  const alpha = await asImage(subject).extractChannel(3).raw().toBuffer();
  const { width, height } = subject;
  return sharp(alpha, { raw: { width, height, channels: 1 } }).blur(Math.max(0.5, SHADOW.softness * longer)).extractChannel(0).raw().toBuffer();
}

function castShadow({ width, height }: Raster, longer: number, soft: Uint8Array): Raster {
  const fall = Math.round(SHADOW.fall * longer);
  const data = new Uint8Array(width * height * 4);
  for (let i = fall * width; i < width * height; i++) data[i * 4 + 3] = Math.round(soft[i - fall * width]! * SHADOW.opacity);
  return { width, height, channels: 4, data };
}

async function coverWith(path: string, width: number, height: number, limits: DecodeLimits): Promise<Sharp> {
  // Twice the frame is enough to cover it in any usual shape.
  const { raster } = await decodeImage(await readFile(path), limits, { maxSide: 2 * Math.max(width, height) });
  const { data, info } = await asImage(raster).flatten({ background: '#ffffff' }).resize(width, height, { fit: 'cover' }).raw().toBuffer({ resolveWithObject: true });
  return sharp(data, { raw: info });
}

const JPEG = { quality: 90, chromaSubsampling: '4:4:4' };
const contentTypes = { PNG: 'image/png', WEBP: 'image/webp', JPEG: 'image/jpeg' } as const;

async function write(image: Sharp, kind: CutOutFile['kind'], format: ComposeOptions['format'], folder: string): Promise<CutOutFile> {
  const path = join(folder, `${kind}.${format.toLowerCase()}`);
  const encoded = {
    PNG: () => image.png({ compressionLevel: 6 }),
    WEBP: () => image.webp(kind === 'mask' ? { lossless: true, effort: 2 } : { quality: 88, alphaQuality: 100, effort: 2 }),
    JPEG: () => image.jpeg(JPEG),
  }[format]();
  const { width, height } = await encoded.toFile(path);
  return { kind, path, width, height, contentType: contentTypes[format], byteSize: (await stat(path)).size };
}
