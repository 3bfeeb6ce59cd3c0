import type { App } from '../app.ts';
import type { PixelBox, Recipe, RenditionFormat } from '../compute/render.ts';
import type { Config } from '../config.ts';
import { UserError } from '../errors.ts';
import { checkCrop, coverBox, type CropWish, regionOf } from './crop.ts';
import { expiryOf, type Verdict, verifyPath } from '../storage/signature.ts';

export type RenditionFit = 'INSIDE' | 'COVER' | 'CONTAIN';

/** What a client asks for. */
export interface RenditionWish extends CropWish {
  width: number | null;
  height: number | null;
  fit: RenditionFit;
  format: RenditionFormat | 'AUTO';
  quality: number;
}

/** What the row of an image says about its size. */
export interface ImageSize {
  id: string;
  width: number;
  height: number;
}

export interface SignedRendition {
  url: string;
  expiresAt: Date;
  width: number;
  height: number;
  format: RenditionFormat | 'AUTO';
}

/** One picture made from one image. With AUTO the request's Accept decides the format. */
export interface Rendition extends Omit<Recipe, 'format'> {
  imageId: string;
  format: RenditionFormat | 'AUTO';
}

/** What a signed URL grants. */
export interface RenditionGrant extends Rendition {
  download: boolean;
  expires: number;
}

export const renditionPrefix = '/renditions/';
export const defaultQuality = 80;
const maxUrlSeconds = 7 * 24 * 3600;
// Longer than that of stored files: these are what pages show, and the same URL is what lets browsers keep them.
const longestWindowSeconds = 6 * 3600;

/** Where to get a rendition. Computed from the image's row alone: it costs no call to anything, and nothing is made until it is fetched. */
export function signRendition({ config, signUrl }: Pick<App, 'config' | 'signUrl'>, image: ImageSize, wish: RenditionWish, { expiresInSeconds, download }: { expiresInSeconds: number; download: boolean }): SignedRendition {
  if (expiresInSeconds < 60 || expiresInSeconds > maxUrlSeconds) throw new UserError('INVALID_INPUT', `Expected expiresIn between 60 and ${maxUrlSeconds} seconds but received ${expiresInSeconds}`);
  const { crop, width, height, fit, quality, format } = renditionOf(config, image, wish);
  const expires = expiryOf(expiresInSeconds, new Date(), longestWindowSeconds);
  const query = new URLSearchParams({
    ...(crop && { crop: printBox(crop) }), width: String(width), height: String(height), fit, format, quality: String(quality), ...(download && { download: 'true' }), expires: String(expires),
  });
  return { url: signUrl(`${renditionPrefix}${image.id}?${query}`), expiresAt: new Date(expires * 1000), width, height, format };
}

export function verifyRendition(secret: string, pathAndQuery: string): Verdict<RenditionGrant> {
  const verdict = verifyPath(secret, pathAndQuery);
  if ('refused' in verdict) return verdict;
  const { url: { pathname, searchParams }, expires } = verdict.grant;
  const text = (name: string) => searchParams.get(name) ?? '';
  return {
    grant: {
      imageId: pathname.slice(renditionPrefix.length),
      crop: parseBox(text('crop')),
      width: Number(text('width')),
      height: Number(text('height')),
      // The border: the signature says that `signRendition` wrote these.
      fit: text('fit') as Recipe['fit'],
      format: text('format') as RenditionGrant['format'],
      quality: Number(text('quality')),
      download: text('download') === 'true',
      expires,
    },
  };
}

const printBox = ({ left, top, width, height }: PixelBox) => [left, top, width, height].join('-');
function parseBox(text: string): PixelBox | null {
  const [left, top, width, height] = text.split('-').map(Number);
  return width === undefined || height === undefined ? null : { left: left!, top: top!, width, height };
}

/** Everything about a rendition but its image and format, in a name: such as 640x480_cover_80 or 640x480_fill_80_0-0-960-720. */
export function printShape({ crop, width, height, fit, quality }: Omit<Recipe, 'format'>): string {
  return [`${width}x${height}`, fit, quality, ...(crop ? [printBox(crop)] : [])].join('_');
}

/** What `printShape` was given. */
export function parseShape(text: string): Omit<Recipe, 'format'> {
  const [size = '', fit, quality, crop = ''] = text.split('_');
  const [width, height] = size.split('x').map(Number);
  return { crop: parseBox(crop), width: width!, height: height!, fit: fit as Recipe['fit'], quality: Number(quality) };
}

/** The exact picture that a wish comes to. Throws `UserError` for one that this server does not grant. */
export function renditionOf(config: Config, image: ImageSize, wish: RenditionWish): Rendition {
  checkWish(config, wish);
  const region = regionOf(image, wish.crop);
  const shape = shapeOf(region, wish, config.RENDITION_MAX_SIDE);
  const { format, quality } = wish;
  const covers = shape.fit === 'cover' && wish.focus !== null;
  const { crop, fit } = covers ? { crop: coverBox(image, region, shape, wish.focus!), fit: 'fill' as const } : { crop: region, fit: shape.fit };
  const isWhole = crop.width === image.width && crop.height === image.height;
  return { imageId: image.id, crop: isWhole ? null : crop, width: shape.width, height: shape.height, fit, format, quality };
}

function checkWish({ RENDITION_SIZES: sizes }: Config, { width, height, fit, quality, crop, focus }: RenditionWish): void {
  const refuse = (message: string, hint?: string) => new UserError('INVALID_INPUT', message, { hint });
  for (const [name, side] of Object.entries({ width, height })) {
    if (side !== null && side < 1) throw refuse(`Expected ${name} of at least 1 pixel for a rendition but received ${side}`);
  }
  if (quality < 1 || quality > 100) throw refuse(`Expected quality between 1 and 100 for a rendition but received ${quality}`);
  checkCrop({ crop, focus });
  if (focus && (fit !== 'COVER' || width === null || height === null)) throw refuse('Expected focus with fit COVER, a width and a height only, because nothing else cuts anything off', 'Leave focus out, or ask for COVER with both sides');

  if (sizes.length === 0) return;
  const size = `${width ?? ''}${height === null ? '' : `x${height}`}`;
  if (!sizes.includes(size)) throw refuse(`Expected one of the sizes of this server (${sizes.join(', ')}) for a rendition but received ${size || 'none'}`, 'Ask for the next larger size and let the page scale it, or have RENDITION_SIZES changed');
  if (quality !== defaultQuality) throw refuse(`Expected quality ${defaultQuality} for a rendition, because this server offers fixed sizes only, but received ${quality}`, 'Leave quality out');
  if (crop || focus) throw refuse('Expected no crop and no focus for a rendition, because this server offers fixed sizes only', 'Have RENDITION_SIZES changed');
}

/** The exact size a wish comes to. Nothing is enlarged: where the picture has too few pixels, or a side would be longer than `maxSide`, the answer is smaller and keeps the proportions asked for. */
export function shapeOf(image: { width: number; height: number }, { width, height, fit }: Pick<RenditionWish, 'width' | 'height' | 'fit'>, maxSide: number): Pick<Recipe, 'width' | 'height' | 'fit'> {
  const pixels = (side: number) => Math.max(1, Math.round(side));
  // With one side given the other follows, whatever the fit; with none the size is the picture's own.
  if (width === null || height === null || fit === 'INSIDE') {
    const scale = Math.min(1, (width ?? Infinity) / image.width, (height ?? Infinity) / image.height, maxSide / Math.max(image.width, image.height));
    return { width: pixels(image.width * scale), height: pixels(image.height * scale), fit: 'fill' };
  }
  const scales = [width / image.width, height / image.height];
  const reduction = Math.max(1, Math.max(width, height) / maxSide, fit === 'COVER' ? Math.max(...scales) : Math.min(...scales));
  return { width: pixels(width / reduction), height: pixels(height / reduction), fit: fit === 'COVER' ? 'cover' : 'contain' };
}
