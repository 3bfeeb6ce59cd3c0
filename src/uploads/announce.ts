import { randomUUID } from 'node:crypto';
import { limitsOf } from '../access/limits/limits.ts';
import type { Viewer } from '../access/viewer.ts';
import type { App } from '../app.ts';
import { findStoredUpload } from '../assets/create.ts';
import { mustHaveRoom } from '../assets/room.ts';
import type { Asset, Upload } from '../database/generated/client.ts';
import { UserError } from '../errors.ts';
import { refusalOf, tooLarge, type RefusedFile } from './receive.ts';

/** A file that a client has, and what it says of it. */
export interface Announced {
  filename: string;
  byteSize: number;
  sha256?: string | null;
  contentType?: string | null;
}

type Announcement = { kind: 'open'; upload: Upload } | { kind: 'known'; image: Asset };
export type AnnounceOutcome = ({ index: number; filename: string } & Announcement) | RefusedFile;

/** Opens an upload for each file that may come and is not here yet. The row is there before the first byte, so nothing that arrives is lost. */
export async function announceUploads(app: App, viewer: Viewer, files: Announced[]): Promise<AnnounceOutcome[]> {
  const outcomes: AnnounceOutcome[] = [];
  // One after the other: each takes room that the next no longer has.
  for (const [index, file] of files.entries()) {
    const { filename } = file;
    try {
      outcomes.push({ index, filename, ...(await announce(app, viewer, file)) });
    } catch (error) {
      outcomes.push({ kind: 'refused', index, filename, ...refusalOf(error) });
    }
  }
  return outcomes;
}

async function announce(app: App, viewer: Viewer, file: Announced): Promise<Announcement> {
  const { db, config } = app;
  check(app, file);
  const sha256 = file.sha256?.toLowerCase() ?? null;
  const image = sha256 === null ? null : await findStoredUpload(app, viewer, sha256);
  if (image) return { kind: 'known', image };
  const limit = limitsOf(config, viewer).storedBytes;
  if (limit !== null) await mustHaveRoom(db, { limit, viewer, byteSize: (await openBytes(app, viewer)) + file.byteSize });
  const expiresAt = new Date(Date.now() + config.UPLOAD_LIFETIME);
  const upload = await db.upload.create({ data: { id: randomUUID(), ownerId: viewer.id, filename: file.filename, byteSize: file.byteSize, sha256, expiresAt } });
  return { kind: 'open', upload };
}

/** Bytes that may still come, or are here and not yet completed. */
async function openBytes({ db }: App, viewer: Viewer): Promise<number> {
  const [row] = await db.$queryRaw<{ bytes: number }[]>`select coalesce(sum(byte_size), 0)::float8 as bytes from upload where owner_id = ${viewer.id} and status = 'OPEN' and expires_at > now()`;
  return row!.bytes;
}

function check(app: App, { filename, byteSize, sha256, contentType }: Announced): void {
  if (filename.length > 1_000) throw new UserError('INVALID_INPUT', `Expected a filename of at most 1000 characters but received ${filename.length}`);
  if (byteSize < 0) throw new UserError('INVALID_INPUT', `Expected byteSize to be the number of bytes but received ${byteSize}`);
  if (byteSize === 0) throw new UserError('EMPTY', 'Expected a file with bytes but 0 bytes were announced');
  if (byteSize > app.config.UPLOAD_MAX_BYTES) throw tooLarge(app, byteSize);
  if (sha256 != null && !/^[0-9a-f]{64}$/i.test(sha256)) throw new UserError('INVALID_INPUT', `Expected sha256 to be 64 hexadecimal digits but received ${sha256.length} characters`);
  if (contentType && !/^image\/(?!svg)/i.test(contentType)) throw new UserError('UNSUPPORTED_TYPE', `Expected an image but received a file of the type ${contentType.slice(0, 100)}`, { hint: 'The query `uploadLimits` lists the formats' });
}
