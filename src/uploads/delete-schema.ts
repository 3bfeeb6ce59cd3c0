import type { Viewer } from '../access/viewer.ts';
import type { App } from '../app.ts';
import { AudioClip } from '../assets/audio-schema.ts';
import { deleteAssets } from '../assets/delete.ts';
import { Model3D } from '../assets/model-schema.ts';
import { Image } from '../assets/schema.ts';
import { UserError } from '../errors.ts';
import { asSent, builder, rowId } from '../graphql/builder.ts';
import { cancelJobsOf } from '../jobs/cancel.ts';
import { maxPageSize } from '../keyset.ts';

interface Deleted {
  deletedIds: string[];
  missing: number;
}

const payload = (name: string, what: string) =>
  builder.objectRef<Deleted>(name).implement({
    fields: (t) => ({
      deletedIds: t.exposeIDList('deletedIds'),
      missing: t.exposeInt('missing', { description: `How many of the ids were no ${what} of the viewer, for instance because they were deleted before.` }),
    }),
  });

async function deleteThese(app: App, viewer: Viewer, ids: readonly { id: string; typename: string }[]): Promise<Deleted> {
  if (ids.length > maxPageSize) throw new UserError('INVALID_INPUT', `Expected at most ${maxPageSize} ids but received ${ids.length}`);
  const rows = new Map(ids.map((id) => [asSent(id), rowId(id)]));
  await cancelJobsOf(app, viewer, [...rows.values()]);
  const deleted = new Set(await deleteAssets(app, viewer, [...rows.values()]));
  const deletedIds = [...rows].filter(([, id]) => deleted.has(id)).map(([id]) => id);
  return { deletedIds, missing: rows.size - deletedIds.length };
}

builder.mutationFields((t) => ({
  deleteImages: t.field({
    type: payload('DeleteImagesPayload', 'images'),
    scope: 'images:write',
    description: 'Deletes images, what is known of them and their bytes. Their unfinished jobs are cancelled. At most 100 at a time.',
    args: { ids: t.arg.globalIDList({ required: true, for: Image }) },
    resolve: (_root, { ids }, { app, viewer }) => deleteThese(app, viewer, ids),
  }),
  deleteAssets: t.field({
    type: payload('DeleteAssetsPayload', 'assets'),
    scope: 'images:write',
    description: 'Deletes images, 3D models with their thumbnails, and recordings, as `deleteImages` does. At most 100 at a time.',
    args: { ids: t.arg.globalIDList({ required: true, for: [Image, Model3D, AudioClip] }) },
    resolve: (_root, { ids }, { app, viewer }) => deleteThese(app, viewer, ids),
  }),
}));
