import type { Prisma, PrismaClient } from '../database/generated/client.ts';
import { originOf } from './details.ts';

/** File names become words: "red-car_01.jpg" is found by "red", "car" and "jpg". */
const wordsOf = (filename: string) => filename.replace(/[^\p{L}\p{N}]+/gu, ' ').trim();

/** Writes again what full-text search knows of an asset: call it in the transaction that changed a title, a tag, a caption or a text. */
export async function indexWords(tx: PrismaClient | Prisma.TransactionClient, assetId: string): Promise<void> {
  const asset = await tx.asset.findUniqueOrThrow({
    where: { id: assetId },
    select: { ownerId: true, filename: true, kind: true, details: true, title: true, altText: true, tags: { select: { name: true } }, analyses: { select: { facts: true }, orderBy: { analyzedAt: 'desc' }, take: 1 } },
  });
  const facts = (asset.analyses[0]?.facts ?? {}) as { caption?: { text: string } | null; text?: { content: string } | null; codes?: { text: string }[] };
  const document = {
    title: [asset.title, asset.altText].filter(Boolean).join(' '),
    // What was wished for describes a picture as well as a caption does.
    caption: [facts.caption?.text, originOf(asset)?.prompt].filter(Boolean).join(' · '),
    tags: asset.tags.map((tag) => tag.name).join(' '),
    text: [facts.text?.content, ...(facts.codes ?? []).map((code) => code.text)].filter(Boolean).join(' '),
    filename: wordsOf(asset.filename),
  };
  await tx.searchDocument.upsert({ where: { assetId }, create: { assetId, ownerId: asset.ownerId, ...document }, update: document });
}
