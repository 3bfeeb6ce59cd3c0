import type { Asset, Prisma, PrismaClient } from '../database/generated/client.ts';
import type { Sql } from '../database/sql.ts';
import { originOf } from './details.ts';

/** File names become words: "red-car_01.jpg" is found by "red", "car" and "jpg". */
export const wordsOf = (filename: string) => filename.replace(/[^\p{L}\p{N}]+/gu, ' ').trim();

/** What search reads of an asset: `tags` are all of its tags, `facts` those of its latest analysis. */
export interface Searched extends Pick<Asset, 'filename' | 'kind' | 'details' | 'title' | 'altText'> {
  tags: readonly string[];
  facts: { caption?: { text: string } | null; text?: { content: string } | null; codes?: readonly { text: string }[] };
}

/** Writes again what full-text search knows of an asset: call it in the transaction that changed a title, a tag, a caption or a text. */
export async function indexWords(tx: PrismaClient | Prisma.TransactionClient, assetId: string): Promise<void> {
  const { tags, analyses, ...asset } = await tx.asset.findUniqueOrThrow({
    where: { id: assetId },
    select: { ownerId: true, filename: true, kind: true, details: true, title: true, altText: true, tags: { select: { name: true } }, analyses: { select: { facts: true }, orderBy: { analyzedAt: 'desc' }, take: 1 } },
  });
  await writeWords(tx, { assetId, ...asset, tags: tags.map(({ name }) => name), facts: (analyses[0]?.facts ?? {}) as Searched['facts'] });
}

/** The same for an asset that is at hand. */
export async function writeWords(tx: Sql, { assetId, ownerId, filename, kind, details, title, altText, tags, facts }: Searched & { assetId: string; ownerId: string }): Promise<void> {
  const titles = [title, altText].filter(Boolean).join(' ');
  // What was wished for describes a picture as well as a caption does.
  const caption = [facts.caption?.text, originOf({ kind, details })?.prompt].filter(Boolean).join(' · ');
  const text = [facts.text?.content, ...(facts.codes ?? []).map((code) => code.text)].filter(Boolean).join(' ');
  await tx.$executeRaw`
    insert into search_document (asset_id, owner_id, title, caption, tags, text, filename)
    values (${assetId}::uuid, ${ownerId}, ${titles}, ${caption}, ${tags.join(' ')}, ${text}, ${wordsOf(filename)})
    on conflict (asset_id) do update set title = excluded.title, caption = excluded.caption, tags = excluded.tags, text = excluded.text, filename = excluded.filename`;
}
