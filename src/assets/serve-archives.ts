import type { App } from '../app.ts';
import { attachment } from '../storage/disposition.ts';
import { archivePrefix, verifyArchive } from './archive.ts';
import { downloadName } from './download-name.ts';
import { Refusal, signedRoute } from './signed-route.ts';
import { createZip } from './zip.ts';

/** Hands out many files as one zip to whoever holds a signed URL. It is made while it is sent and kept nowhere. */
export function serveArchives({ db, storage, log }: Pick<App, 'db' | 'storage' | 'log'>, secret: string) {
  return signedRoute({
    prefix: archivePrefix,
    log,
    verify: (pathAndQuery) => verifyArchive(secret, pathAndQuery),
    async find({ assetIds, name }) {
      const rows = await db.asset.findMany({ where: { id: { in: assetIds } }, select: { id: true, storageKey: true, filename: true, contentType: true, byteSize: true, createdAt: true } });
      const assets = assetIds.flatMap((id) => rows.find((row) => row.id === id) ?? []);
      const missing = assetIds.length - assets.length;
      if (missing > 0) throw new Refusal(404, `${missing} of the ${assetIds.length} files of this archive were deleted. Ask the API for a new link.`);
      return {
        cacheControl: 'no-store',
        async open() {
          const { byteSize, read } = createZip(storage, assets.map((asset) => ({ ...asset, filename: downloadName(asset) })));
          return { byteSize, headers: { 'Content-Type': 'application/zip', 'Content-Disposition': attachment(`${name}.zip`) }, read: async () => read() };
        },
      };
    },
  });
}
