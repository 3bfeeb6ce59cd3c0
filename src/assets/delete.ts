import type { Viewer } from '../access/viewer.ts';
import type { App } from '../app.ts';
import { model3dDetails } from './details.ts';
import { assetsChanged } from './living-assets.ts';

/** Deletes the viewer's assets among `ids`, models with their thumbnails: the rows first, so that nothing ever points at missing bytes. Gives back the ids that were there. */
export async function deleteAssets({ db, storage, events, log }: App, viewer: Viewer, ids: string[]): Promise<string[]> {
  const { asked, all } = await db.$transaction(async (tx) => {
    const select = { id: true, storageKey: true, details: true };
    const asked = await tx.asset.findMany({ where: { id: { in: ids }, ownerId: viewer.id }, select });
    const shown = asked.flatMap(({ details }) => thumbnailOf(details) ?? []);
    const thumbnails = await tx.asset.findMany({ where: { id: { in: shown, notIn: ids }, ownerId: viewer.id }, select });
    const all = [...asked, ...thumbnails];
    await tx.asset.deleteMany({ where: { id: { in: all.map((asset) => asset.id) } } });
    return { asked, all };
  });
  await events.publish(assetsChanged);
  await storage.delete(all.map((asset) => asset.storageKey)).catch((error: unknown) => {
    log.error({ err: error, assets: all.length }, 'Deleted assets left their bytes behind; the sweep removes them');
  });
  return asked.map((asset) => asset.id);
}

const thumbnailOf = (details: unknown) => model3dDetails.pick({ thumbnailId: true }).safeParse(details).data?.thumbnailId;
