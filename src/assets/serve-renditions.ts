import { createHash } from 'node:crypto';
import { join, parse } from 'node:path';
import type { App } from '../app.ts';
import type { Recipe, RenditionFormat } from '../compute/render.ts';
import { imageFormats } from '../compute/sniff.ts';
import { ProviderError, UserError } from '../errors.ts';
import { attachment } from '../storage/disposition.ts';
import { ObjectMissing } from '../storage/storage.ts';
import { openLivingImages } from './living-images.ts';
import { createRenditionMaker } from './make-rendition.ts';
import { printBox, renditionPrefix, verifyRendition } from './rendition.ts';
import { openRenditionCache } from './rendition-cache.ts';
import { Refusal, signedRoute, whileGranted } from './signed-route.ts';

/** Part of every name: raise it when the same recipe gives other bytes. */
const edition = 1;

/** Hands out renditions to whoever holds a signed URL: from the cache, or made now. */
export async function openRenditions(app: App, secret: string) {
  const { config, db, log } = app;
  const images = await openLivingImages(app);
  const knownImages = async (ids: string[]) => (await db.asset.findMany({ where: { id: { in: ids } }, select: { id: true } })).map(({ id }) => id);
  const cache = await openRenditionCache({ folder: join(config.DATA_DIR, 'cache', 'renditions'), maxBytes: config.RENDITION_CACHE_SIZE, knownImages, log });
  const make = createRenditionMaker(app, cache);
  const route = signedRoute({
    prefix: renditionPrefix,
    log,
    verify: (pathAndQuery) => verifyRendition(secret, pathAndQuery),
    async find(grant, { headers }, gone) {
      // What is deleted is gone, whatever the cache still has.
      const image = await images.find(grant.imageId);
      if (!image) throw new ObjectMissing(grant.imageId);
      const format = grant.format === 'AUTO' ? chooseFormat(headers.accept, image.hasAlpha) : grant.format;
      const { contentType, extension } = imageFormats[format];
      const { crop, width, height, fit, quality } = grant;
      const recipe: Recipe = { crop, width, height, fit, format, quality };
      const name = `${grant.imageId}.${crop ? `${printBox(crop)}.` : ''}${width}x${height}.${fit}.${quality}.${edition}.${extension}`;
      return {
        etag: `"${createHash('sha256').update(name).digest('base64url').slice(0, 22)}"`,
        cacheControl: whileGranted(grant.expires),
        headers: grant.format === 'AUTO' ? { Vary: 'Accept' } : undefined,
        async open() {
          const file = (await cache.find(name)) ?? (await make(name, image.storageKey, recipe, gone).then(() => cache.find(name), refuse));
          if (!file) throw new Refusal(503, 'The cache of renditions is too busy. Try again.', { headers: { 'Retry-After': '1' } });
          return {
            ...file,
            headers: { 'Content-Type': contentType, 'Content-Disposition': grant.download ? attachment(`${baseOf(image.filename)}.${extension}`) : 'inline' },
          };
        },
      };
    },
  });
  return { route, close: async () => void (await Promise.all([images.close(), cache.close()])) };
}

/** What a browser says it can show. Wildcards do not count: they are said by programs that have never seen an AVIF. */
export function chooseFormat(accept: string | undefined, hasAlpha: boolean): RenditionFormat {
  const accepted = (accept ?? '').toLowerCase().split(',').filter((item) => !/;\s*q=0(\.0*)?\s*$/.test(item)).map((item) => item.split(';')[0]!.trim());
  if (accepted.includes('image/avif')) return 'AVIF';
  if (accepted.includes('image/webp')) return 'WEBP';
  return hasAlpha ? 'PNG' : 'JPEG';
}

const baseOf = (filename: string) => parse(filename).name || 'image';

function refuse(error: unknown): never {
  if (error instanceof ProviderError && error.retryable) throw new Refusal(503, `${error.message}. Try again.`, { headers: { 'Retry-After': '1' }, cause: error });
  if (error instanceof UserError || error instanceof ProviderError) throw new Refusal(422, `This picture cannot be shown: ${error.message}.`, { cause: error });
  throw error;
}
