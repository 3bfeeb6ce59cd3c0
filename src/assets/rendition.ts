import type { App } from '../app.ts';
import type { Recipe, RenditionFormat } from '../compute/render.ts';
import type { Config } from '../config.ts';
import { UserError } from '../errors.ts';
import { expiryOf, type Verdict, verifyPath } from '../storage/signature.ts';

export type RenditionFit = 'INSIDE' | 'COVER' | 'CONTAIN';

/** What a client asks for. */
export interface RenditionWish {
  width: number | null;
  height: number | null;
  fit: RenditionFit;
  format: RenditionFormat | 'AUTO';
  quality: number;
  expiresInSeconds: number;
  download: boolean;
}

export interface SignedRendition {
  url: string;
  expiresAt: Date;
  width: number;
  height: number;
  format: RenditionFormat | 'AUTO';
}

/** What a signed URL grants: one picture made from one image. With AUTO the request's Accept decides the format. */
export interface RenditionGrant extends Omit<Recipe, 'format'> {
  imageId: string;
  format: RenditionFormat | 'AUTO';
  download: boolean;
  expires: number;
}

export const renditionPrefix = '/renditions/';
export const defaultQuality = 80;
const maxUrlSeconds = 7 * 24 * 3600;
// Longer than that of stored files: these are what pages show, and the same URL is what lets browsers keep them.
const longestWindowSeconds = 6 * 3600;

/** Where to get a rendition. Computed from the image's row alone: it costs no call to anything, and nothing is made until it is fetched. */
export function signRendition({ config, signUrl }: Pick<App, 'config' | 'signUrl'>, image: { id: string; width: number; height: number }, wish: RenditionWish): SignedRendition {
  checkWish(config, wish);
  const { width, height, fit } = shapeOf(image, wish, config.RENDITION_MAX_SIDE);
  const { format, quality, download } = wish;
  const expires = expiryOf(wish.expiresInSeconds, new Date(), longestWindowSeconds);
  const query = new URLSearchParams({ width: String(width), height: String(height), fit, format, quality: String(quality), ...(download && { download: 'true' }), expires: String(expires) });
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

function checkWish({ RENDITION_SIZES: sizes, RENDITION_MAX_SIDE: maxSide }: Config, { width, height, quality, expiresInSeconds }: RenditionWish): void {
  const refuse = (message: string, hint?: string) => new UserError('INVALID_INPUT', message, { hint });
  if (width === null && height === null) throw refuse('Expected a width, a height or both for a rendition but received neither');
  for (const [name, side] of Object.entries({ width, height })) {
    if (side !== null && (side < 1 || side > maxSide)) throw refuse(`Expected ${name} between 1 and ${maxSide} pixels for a rendition but received ${side}`);
  }
  if (quality < 1 || quality > 100) throw refuse(`Expected quality between 1 and 100 for a rendition but received ${quality}`);
  if (expiresInSeconds < 60 || expiresInSeconds > maxUrlSeconds) throw refuse(`Expected expiresIn between 60 and ${maxUrlSeconds} seconds but received ${expiresInSeconds}`);

  if (sizes.length === 0) return;
  const size = `${width ?? ''}${height === null ? '' : `x${height}`}`;
  if (!sizes.includes(size)) throw refuse(`Expected one of the sizes of this server (${sizes.join(', ')}) for a rendition but received ${size}`, 'Ask for the next larger size and let the page scale it, or have RENDITION_SIZES changed');
  if (quality !== defaultQuality) throw refuse(`Expected quality ${defaultQuality} for a rendition, because this server offers fixed sizes only, but received ${quality}`, 'Leave quality out');
}

/** The exact size a wish comes to. Nothing is enlarged: where the picture has too few pixels the answer is smaller and keeps the proportions asked for. */
export function shapeOf(image: { width: number; height: number }, { width, height, fit }: Pick<RenditionWish, 'width' | 'height' | 'fit'>, maxSide: number): Pick<Recipe, 'width' | 'height' | 'fit'> {
  const pixels = (side: number) => Math.max(1, Math.round(side));
  // With one side given the other follows, whatever the fit.
  if (width === null || height === null || fit === 'INSIDE') {
    const scale = Math.min(1, (width ?? Infinity) / image.width, (height ?? Infinity) / image.height, maxSide / Math.max(image.width, image.height));
    return { width: pixels(image.width * scale), height: pixels(image.height * scale), fit: 'fill' };
  }
  const scales = [width / image.width, height / image.height];
  const enlargement = Math.max(1, fit === 'COVER' ? Math.max(...scales) : Math.min(...scales));
  return { width: pixels(width / enlargement), height: pixels(height / enlargement), fit: fit === 'COVER' ? 'cover' : 'contain' };
}
