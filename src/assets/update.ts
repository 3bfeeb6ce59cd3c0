import type { Viewer } from '../access/viewer.ts';
import type { App } from '../app.ts';
import { Prisma } from '../database/generated/client.ts';
import { noImage, UserError } from '../errors.ts';
import { cleanTags } from './tags.ts';
import { indexWords } from './words.ts';

export interface ImageWords {
  title?: string | null;
  altText?: string | null;
  tags?: readonly string[] | null;
  metadata?: unknown;
}

const maxMetadataBytes = 16_000;

/** Postgres keeps neither in JSON, not even as the name of a field. */
const unstorable = /[\0\p{Surrogate}]/u;

/** Refuses words that are too long for what they are. Postgres cannot keep NUL in text. */
export function checkWords({ title, altText, metadata }: ImageWords): void {
  for (const [name, text, limit] of [['title', title, 300], ['altText', altText, 1000]] as const) {
    if (text == null) continue;
    if (text.length > limit) throw new UserError('INVALID_INPUT', `Expected ${name} of at most ${limit} characters but received ${text.length}`);
    if (text.includes('\0')) throw new UserError('INVALID_INPUT', `Expected ${name} without NUL characters`);
  }
  const size = metadata == null ? 0 : Buffer.byteLength(JSON.stringify(metadata));
  if (size > maxMetadataBytes) throw new UserError('INVALID_INPUT', `Expected metadata of at most ${maxMetadataBytes} bytes as JSON but received ${size}`);
  JSON.stringify(metadata, (name, part: unknown) => {
    if (unstorable.test(name) || (typeof part === 'string' && unstorable.test(part))) throw new UserError('INVALID_INPUT', 'Expected metadata without NUL characters and halves of surrogate pairs');
    return part;
  });
}

/** Changes what is given and leaves the rest; null takes a value away. */
export async function updateImage({ db }: App, viewer: Viewer, id: string, words: ImageWords): Promise<void> {
  checkWords(words);
  const tags = words.tags === undefined ? undefined : cleanTags(words.tags ?? []);
  await db.$transaction(async (tx) => {
    const where = { id, ownerId: viewer.id, kind: 'IMAGE' } as const;
    // Prisma counts nothing where nothing is set: tags are kept elsewhere.
    if (!(await tx.asset.findFirst({ where, select: { id: true } }))) throw noImage();
    await tx.asset.updateMany({
      where,
      data: {
        title: words.title,
        altText: words.altText,
        metadata: words.metadata === null ? Prisma.DbNull : (words.metadata as Prisma.InputJsonValue | undefined),
      },
    });
    if (tags) {
      await tx.imageTag.deleteMany({ where: { assetId: id, source: 'user' } });
      await tx.imageTag.createMany({ data: tags.map((name) => ({ assetId: id, ownerId: viewer.id, name, source: 'user', confidence: 1 })) });
    }
    await indexWords(tx, id);
  });
}
