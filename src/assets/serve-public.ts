import type { App } from '../app.ts';
import { attachment, isOriginal, isPicture } from '../storage/disposition.ts';
import { ObjectMissing } from '../storage/storage.ts';
import { downloadName } from './download-name.ts';
import type { LivingAssets } from './living-assets.ts';
import { publicPrefix, verifyPublic } from './public.ts';
import type { FindRendition } from './serve-renditions.ts';
import { identityOf } from './serve.ts';
import { signedRoute } from './signed-route.ts';

/** A cache shows what it has for so long while it asks for what is new. */
const staleSeconds = 60;

/** Hands out what is public, to everybody and for caches between: its bytes never change, but whether they are public does, so no copy is good for long. */
export function servePublic({ config, storage, log }: Pick<App, 'config' | 'storage' | 'log'>, secret: string, assets: LivingAssets, findRendition: FindRendition) {
  const cacheControl = `public, max-age=${Math.round(config.PUBLIC_MAX_AGE / 1000)}, stale-while-revalidate=${staleSeconds}, immutable`;
  return signedRoute({
    prefix: publicPrefix,
    log,
    verify: (path) => verifyPublic(secret, path),
    async find({ assetId, rendition }, { headers }, gone) {
      const asset = await assets.find(assetId);
      // What is private is to strangers as if it were not there.
      if (asset?.visibility !== 'PUBLIC') throw new ObjectMissing(assetId);
      if (rendition) return { ...findRendition(asset, rendition, headers.accept, gone), cacheControl };
      const { storageKey, contentType, byteSize } = asset;
      return {
        etag: identityOf(storageKey),
        cacheControl,
        open: async () => ({
          byteSize,
          headers: { 'Content-Type': contentType, 'Content-Disposition': isPicture(contentType) && !isOriginal(storageKey) ? 'inline' : attachment(downloadName(asset)) },
          read: (range) => storage.get(storageKey, range),
        }),
      };
    },
  });
}
