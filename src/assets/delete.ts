import type { Viewer } from '../access/viewer.ts';
import type { App } from '../app.ts';
import { assetsChanged } from './living-assets.ts';

/** Deletes the viewer's assets among `ids`: the rows first, so that nothing ever points at missing bytes. Gives back the ids that were there. */
export async function deleteAssets({ db, storage, events, log }: App, viewer: Viewer, ids: string[]): Promise<string[]> {
  const assets = await db.$transaction(async (tx) => {
    const found = await tx.asset.findMany({ where: { id: { in: ids }, ownerId: viewer.id }, select: { id: true, storageKey: true } });
    await tx.asset.deleteMany({ where: { id: { in: found.map((asset) => asset.id) } } });
    return found;
  });
  await events.publish(assetsChanged);
  await storage.delete(assets.map((asset) => asset.storageKey)).catch((error: unknown) => {
    log.error({ err: error, assets: assets.length }, 'Deleted assets left their bytes behind; the sweep removes them');
  });
  return assets.map((asset) => asset.id);
}
