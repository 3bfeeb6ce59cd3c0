import type { Viewer } from '../access/viewer.ts';
import type { App } from '../app.ts';
import type { Visibility } from '../database/generated/client.ts';
import { assetsChanged } from './living-assets.ts';

/** Makes the viewer's assets among `ids` public or private, for every process that serves them. Gives back the ids that are there. */
export async function setVisibility({ db, events }: Pick<App, 'db' | 'events'>, viewer: Viewer, ids: string[], visibility: Visibility): Promise<string[]> {
  const changed = await db.asset.updateManyAndReturn({ where: { id: { in: ids }, ownerId: viewer.id }, data: { visibility }, select: { id: true } });
  await events.publish(assetsChanged);
  return changed.map(({ id }) => id);
}
