import { join } from 'node:path';
import type { App } from '../app.ts';
import type { Recipe, RenditionFormat } from '../compute/render.ts';
import { imageFormats } from '../compute/sniff.ts';
import { ProviderError, UserError } from '../errors.ts';
import { attachment } from '../storage/disposition.ts';
import { ObjectMissing } from '../storage/storage.ts';
import { baseOf } from './download-name.ts';
import type { LivingAsset, LivingAssets } from './living-assets.ts';
import { createRenditionMaker } from './make-rendition.ts';
import { printShape, type Rendition, renditionPrefix, verifyRendition } from './rendition.ts';
import { openRenditionCache } from './rendition-cache.ts';
import { identityOf } from './serve.ts';
import { type Found, Refusal, signedRoute, whileGranted } from './signed-route.ts';

/** Part of every name: raise it when the same recipe gives other bytes. */
const edition = 1;

/** A rendition of an image that is there, from the cache or made now; shown inline, or saved as `downloadAs` with the extension of its format. */
export type FindRendition = (image: LivingAsset, rendition: Rendition, accept: string | undefined, gone: AbortSignal, downloadAs?: string) => Omit<Found, 'cacheControl'>;

/** What makes renditions and keeps them. */
export async function openRenditions(app: App): Promise<{ find: FindRendition; close(): Promise<void> }> {
  const { config, db, log } = app;
  const knownImages = async (ids: string[]) => (await db.asset.findMany({ where: { id: { in: ids } }, select: { id: true } })).map(({ id }) => id);
  const cache = await openRenditionCache({ folder: join(config.DATA_DIR, 'cache', 'renditions'), maxBytes: config.RENDITION_CACHE_SIZE, knownImages, log });
  const make = createRenditionMaker(app, cache);

  const find: FindRendition = (image, rendition, accept, gone, downloadAs) => {
    const format = rendition.format === 'AUTO' ? chooseFormat(accept, image.hasAlpha) : rendition.format;
    const { contentType, extension } = imageFormats[format];
    const { imageId, crop, width, height, fit, quality } = rendition;
    const recipe: Recipe = { crop, width, height, fit, format, quality };
    const name = `${imageId}.${printShape(recipe)}.${edition}.${extension}`;
    return {
      etag: identityOf(name),
      headers: rendition.format === 'AUTO' ? { Vary: 'Accept' } : undefined,
      async open() {
        const file = (await cache.find(name)) ?? (await make(name, image.storageKey, recipe, gone).then(() => cache.find(name), refuse));
        if (!file) throw new Refusal(503, 'The cache of renditions is too busy. Try again.', { headers: { 'Retry-After': '1' } });
        return { ...file, headers: { 'Content-Type': contentType, 'Content-Disposition': downloadAs === undefined ? 'inline' : attachment(`${downloadAs}.${extension}`) } };
      },
    };
  };
  return { find, close: () => cache.close() };
}

/** Hands out renditions to whoever holds a signed URL. */
export function serveRenditions({ log }: Pick<App, 'log'>, secret: string, images: LivingAssets, findRendition: FindRendition) {
  return signedRoute({
    prefix: renditionPrefix,
    log,
    verify: (pathAndQuery) => verifyRendition(secret, pathAndQuery),
    async find({ download, expires, ...rendition }, { headers }, gone) {
      // What is deleted is gone, whatever the cache still has.
      const image = await images.find(rendition.imageId);
      if (!image) throw new ObjectMissing(rendition.imageId);
      return { ...findRendition(image, rendition, headers.accept, gone, download ? baseOf(image.filename) : undefined), cacheControl: whileGranted(expires) };
    },
  });
}

/** What a browser says it can show. Wildcards do not count: they are said by programs that have never seen an AVIF. */
export function chooseFormat(accept: string | undefined, hasAlpha: boolean): RenditionFormat {
  const accepted = (accept ?? '').toLowerCase().split(',').filter((item) => !/;\s*q=0(\.0*)?\s*$/.test(item)).map((item) => item.split(';')[0]!.trim());
  if (accepted.includes('image/avif')) return 'AVIF';
  if (accepted.includes('image/webp')) return 'WEBP';
  return hasAlpha ? 'PNG' : 'JPEG';
}

function refuse(error: unknown): never {
  if (error instanceof ProviderError && error.retryable) throw new Refusal(503, `${error.message}. Try again.`, { headers: { 'Retry-After': '1' }, cause: error });
  if (error instanceof UserError || error instanceof ProviderError) throw new Refusal(422, `This picture cannot be shown: ${error.message}.`, { cause: error });
  throw error;
}
