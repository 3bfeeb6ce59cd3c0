import type { Viewer } from '../access/viewer.ts';
import type { App } from '../app.ts';
import { UserError } from '../errors.ts';
import { printCursor, parseCursor } from '../keyset.ts';

/** Images of which each is a near-duplicate of at least one other: the connected parts of the graph of pairs. Oldest image first. */
export interface DuplicateGroup {
  imageIds: string[];
}

/** All groups of the viewer, in the order of their oldest image. One read of the viewer's pairs; tens of thousands are fine. */
export async function findDuplicateGroups({ db }: App, viewer: Viewer): Promise<DuplicateGroup[]> {
  const pairs = await db.nearDuplicate.findMany({ where: { ownerId: viewer.id }, select: { assetId: true, otherId: true } });
  return group(db, pairs);
}

/** The group that an image is in, or null. */
export async function findDuplicatesOf({ db }: App, viewer: Viewer, assetId: string): Promise<DuplicateGroup | null> {
  const pairs = await db.$queryRaw<{ assetId: string; otherId: string }[]>`
    with recursive member as (
      select ${assetId}::uuid as id
      union
      select pair.other_id from near_duplicate pair join member on member.id = pair.asset_id where pair.owner_id = ${viewer.id})
    select pair.asset_id as "assetId", pair.other_id as "otherId" from near_duplicate pair join member on member.id = pair.asset_id`;
  return (await group(db, pairs))[0] ?? null;
}

async function group(db: App['db'], pairs: { assetId: string; otherId: string }[]): Promise<DuplicateGroup[]> {
  const parents = new Map<string, string>();
  const root = (id: string): string => {
    let top = id;
    for (let parent = parents.get(top); parent !== undefined && parent !== top; parent = parents.get(top)) top = parent;
    parents.set(id, top);
    return top;
  };
  for (const { assetId, otherId } of pairs) {
    const [one, other] = [root(assetId), root(otherId)];
    parents.set(one, other);
    parents.set(other, other);
  }
  // One parameter, however many ids: Postgres takes 65,535 and Prisma half of them.
  const assets = await db.$queryRaw<{ id: string }[]>`select id from asset where id = any(${[...parents.keys()]}::uuid[]) order by created_at, id`;
  const groups = new Map<string, string[]>();
  for (const { id } of assets) {
    const ids = groups.get(root(id));
    if (ids) ids.push(id);
    else groups.set(root(id), [id]);
  }
  return [...groups.values()].map((imageIds) => ({ imageIds }));
}

/** One page of groups; a cursor names the oldest image of a group. */
export function pageOfGroups(groups: DuplicateGroup[], { first, after }: { first: number; after?: string | null }) {
  const cursorOf = ({ imageIds }: DuplicateGroup) => printCursor('group', imageIds[0]!);
  const oldest = after ? parseCursor(after, 'text').id : null;
  const from = oldest ? groups.findIndex((candidate) => candidate.imageIds.includes(oldest)) + 1 : 0;
  if (oldest && from === 0) throw new UserError('INVALID_INPUT', 'The group of this cursor is gone', { hint: 'Start again from the first page' });
  const page = groups.slice(from, from + first);
  return { page, cursorOf, hasNextPage: from + first < groups.length };
}
