import { randomUUID } from 'node:crypto';
import { limitsOf } from '../access/limits/limits.ts';
import type { Viewer } from '../access/viewer.ts';
import type { App } from '../app.ts';
import type { AudioInspection } from '../compute/audio.ts';
import type { Inspection } from '../compute/inspect.ts';
import { isUniqueViolation } from '../database/faults.ts';
import type { Asset, AssetKind, Visibility } from '../database/generated/client.ts';
import { isUnreachable, withRetry } from '../database/retry.ts';
import type { Sql } from '../database/sql.ts';
import { imageFacts } from './image-facts.ts';
import { holdRoom, mustHaveRoom } from './room.ts';
import { cleanTags } from './tags.ts';
import { writeWords } from './words.ts';

/** The viewer's own upload of these very bytes, if there is one. */
export async function findStoredUpload({ db, sql }: Pick<App, 'db' | 'sql'>, viewer: Viewer, sha256: string, kind: AssetKind = 'IMAGE'): Promise<Asset | null> {
  // Mostly there is none, which every upload asks: a plain statement says so for a fifth of the work.
  const [known] = await sql.$queryRaw<{ id: string }[]>`select id from asset where owner_id = ${viewer.id} and sha256 = ${sha256} and kind = ${kind}::asset_kind and produced_by_id is null`;
  return known ? db.asset.findUnique({ where: { id: known.id } }) : null;
}

interface UploadedFile {
  path: string;
  filename: string;
  byteSize: number;
  sha256: string;
}

interface Facts {
  title?: string | null;
  tags?: string[] | null;
  metadata?: unknown;
  visibility?: Visibility | null;
}

export async function createImage(app: Parts, viewer: Viewer, file: UploadedFile, inspection: Inspection, { keepLocation, ...facts }: Facts & { keepLocation?: boolean | null }): Promise<{ image: Asset; alreadyStored: boolean }> {
  const { asset: image, alreadyStored } = await createUpload(app, viewer, file, imageFacts(inspection, { keepLocation: keepLocation ?? false }), facts);
  return { image, alreadyStored };
}

export async function createAudioClip(app: Parts, viewer: Viewer, file: UploadedFile, { contentType, ...details }: AudioInspection, facts: Facts): Promise<{ asset: Asset; alreadyStored: boolean }> {
  return createUpload(app, viewer, file, { kind: 'AUDIO', contentType, details }, facts);
}

type Parts = Pick<App, 'db' | 'sql' | 'storage' | 'config'>;
type Columns = Pick<Asset, 'kind' | 'contentType'> & Partial<Pick<Asset, 'width' | 'height' | 'format' | 'frames' | 'hasAlpha' | 'damaged' | 'takenAt'>> & { exif?: object | null; details?: object };

/** Bytes first, then the row; if the row fails the bytes go. Two uploads of the same bytes at once make one asset. `columns` are what the bytes say. */
async function createUpload(app: Parts, viewer: Viewer, file: UploadedFile, columns: Columns, facts: Facts): Promise<{ asset: Asset; alreadyStored: boolean }> {
  const { sql, storage } = app;
  const id = randomUUID();
  const storageKey = `originals/${id}`;
  const tags = cleanTags(facts.tags ?? []);

  const room = { limit: limitsOf(app.config, viewer).storedBytes, viewer, byteSize: file.byteSize };
  await mustHaveRoom(sql, room); // before the bytes travel, so that a full viewer costs little
  await storage.upload(storageKey, file.path, { byteSize: file.byteSize, contentType: columns.contentType });
  try {
    const insert = async (tx: Sql) => {
      await holdRoom(tx, room);
      const asset = await insertAsset(tx, {
        ...blank,
        id,
        ownerId: viewer.id,
        filename: cleanFilename(file.filename),
        byteSize: file.byteSize,
        sha256: file.sha256,
        storageKey,
        ...columns,
        visibility: facts.visibility ?? 'PRIVATE',
        title: facts.title ?? null,
        metadata: (facts.metadata ?? null) as Asset['metadata'],
      });
      if (tags.length > 0) await tx.$executeRaw`insert into image_tag (asset_id, owner_id, source, name, confidence) select ${id}::uuid, ${viewer.id}, 'user', name, 1 from unnest(${tags}::text[]) as name`;
      await writeWords(tx, { assetId: id, ...asset, tags, facts: {} });
      return asset;
    };
    return { asset: await withRetry(() => sql.transaction(insert)), alreadyStored: false };
  } catch (error) {
    // A connection that broke at COMMIT leaves open whether the row is there. Its bytes stay then; if nothing refers to them, the sweep removes them.
    if (isUnreachable(error)) throw error;
    const known = isUniqueViolation(error) ? await findStoredUpload(app, viewer, file.sha256, columns.kind) : null;
    // After such a COMMIT the next try meets its own row.
    if (known?.id !== id) await storage.delete([storageKey]);
    if (known) return { asset: known, alreadyStored: known.id !== id };
    throw error;
  }
}

const blank = { producedById: null, position: null, width: null, height: null, format: null, frames: null, hasAlpha: null, damaged: false, takenAt: null, exif: null, thumbHash: null, details: null, altText: null };

/** By hand, because each upload waits for it: Prisma's client takes twice as long for an upload's rows. */
async function insertAsset(sql: Sql, asset: Omit<Asset, 'createdAt'>): Promise<Asset> {
  const json = (value: unknown) => (value === null ? null : JSON.stringify(value));
  const [row] = await sql.$queryRaw<Pick<Asset, 'createdAt'>[]>`
    insert into asset (id, owner_id, kind, filename, content_type, byte_size, sha256, storage_key, visibility, width, height, format, frames, has_alpha, damaged, taken_at, exif, details, title, metadata)
    values (${asset.id}::uuid, ${asset.ownerId}, ${asset.kind}::asset_kind, ${asset.filename}, ${asset.contentType}, ${asset.byteSize}, ${asset.sha256}, ${asset.storageKey}, ${asset.visibility}::visibility,
      ${asset.width}, ${asset.height}, ${asset.format}, ${asset.frames}, ${asset.hasAlpha}, ${asset.damaged}, ${asset.takenAt?.toISOString() ?? null}::timestamptz,
      ${json(asset.exif)}::jsonb, ${json(asset.details)}::jsonb, ${asset.title}, ${json(asset.metadata)}::jsonb)
    returning created_at as "createdAt"`;
  return { ...asset, ...row! };
}

/** The last part of whatever the client sent, without control and direction characters, at most 200 characters. Never part of a path. */
function cleanFilename(filename: string): string {
  const base = filename.split(/[/\\]/).at(-1) ?? '';
  // eslint-disable-next-line no-control-regex
  const clean = base.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '').trim().slice(0, 200);
  return clean || 'unnamed';
}
