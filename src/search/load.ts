import type { Asset } from '../database/generated/client.ts';
import type { Context } from '../graphql/builder.ts';

/** The viewer's images with these ids, each with what the client asked for (`query`, made by the Prisma plugin). */
export async function loadImages({ app, viewer }: Context, ids: string[], query: object): Promise<Map<string, Asset>> {
  if (ids.length === 0) return new Map();
  const rows = await app.db.asset.findMany({ ...query, where: { id: { in: ids }, ownerId: viewer.id, kind: 'IMAGE' } });
  return new Map(rows.map((row) => [row.id, row]));
}
