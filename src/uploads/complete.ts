import type { Viewer } from '../access/viewer.ts';
import type { App } from '../app.ts';
import type { Prisma, Upload } from '../database/generated/client.ts';
import { UserError, type ErrorCode } from '../errors.ts';
import { openSpool } from '../spool.ts';
import { createSlots } from '../storage/parts.ts';
import { receiveEach, receiveFile, refusalOf, type Received, type Refusal, type UploadFacts, type UploadOutcome } from './receive.ts';
import { fetchFile, findArrived, removeStaged } from './staging.ts';

/** What is wrong with the bytes themselves, now and for ever; anything else may be over the next time. */
const final = new Set<ErrorCode>(['CHECKSUM_MISMATCH', 'TOO_LARGE', 'TOO_MANY_PIXELS', 'TOO_SMALL', 'EMPTY', 'UNSUPPORTED_TYPE', 'CORRUPT']);
/** Each has a copy of its file on the local disk. */
const atATime = 4;

/** Makes an image of each upload whose bytes are the announced ones. The same call again has the same outcome. `null` stands for what is no id of an upload. */
export async function completeUploads(app: App, viewer: Viewer, ids: (string | null)[], facts: UploadFacts): Promise<Promise<UploadOutcome>[]> {
  const rows = await app.db.upload.findMany({ where: { id: { in: ids.filter((id) => id !== null) }, ownerId: viewer.id } });
  const uploads = ids.map((id) => rows.find((row) => row.id === id));
  const slot = createSlots(atATime);
  return receiveEach(uploads.map((upload) => upload?.filename ?? ''), (index) => {
    const upload = uploads[index];
    if (!upload) throw new UserError('NOT_FOUND', 'There is no upload with this id', { hint: 'Open one with createUploads; it is known for a week after it has expired' });
    if (upload.status !== 'OPEN') return outcomeOf(app, upload);
    return slot(() =>
      complete(app, viewer, upload, facts).catch(async (error: unknown) => {
        // The same call at the same time was faster, and has taken the bytes away: its outcome is the outcome.
        const now = await app.db.upload.findUnique({ where: { id: upload.id } });
        if (!now || now.status === 'OPEN') throw error;
        return outcomeOf(app, now);
      }));
  });
}

async function complete(app: App, viewer: Viewer, upload: Upload, facts: UploadFacts): Promise<Received> {
  const { db, storage } = app;
  if (upload.expiresAt <= new Date()) throw new UserError('UPLOAD_EXPIRED', `The upload expired at ${upload.expiresAt.toISOString()}`, { hint: 'Open a new one with createUploads' });

  const arrived = await findArrived(storage, upload.id);
  if (arrived.byteSize < upload.byteSize) {
    throw new UserError('CHECKSUM_MISMATCH', `Expected ${upload.byteSize} bytes but ${arrived.byteSize} have arrived so far`, { hint: 'Send the rest, then complete it again' });
  }
  try {
    if (arrived.byteSize > upload.byteSize) throw new UserError('CHECKSUM_MISMATCH', `Expected ${upload.byteSize} bytes but received ${arrived.byteSize}`);
    await using spool = await openSpool(app.config.DATA_DIR);
    const file = await fetchFile(app, arrived.keys, spool.folder, upload);
    if (upload.sha256 && upload.sha256 !== file.sha256) throw new UserError('CHECKSUM_MISMATCH', `Expected bytes with the SHA-256 ${upload.sha256} but received ${file.sha256}`);
    const received = await receiveFile(app, viewer, file, facts);
    await close(app, upload, { status: 'COMPLETED', assetId: received.image.id });
    return received;
  } catch (error) {
    const refusal = refusalOf(error);
    if (final.has(refusal.code)) await close(app, upload, { status: 'REFUSED', refusal: { ...refusal } });
    throw error;
  }

  /** The row first: bytes that a crash leaves behind a closed row are swept. */
  async function close({ log }: App, { id }: Upload, data: Prisma.UploadUncheckedUpdateInput): Promise<void> {
    await db.upload.updateMany({ where: { id, status: 'OPEN' }, data });
    await removeStaged(storage, id).catch((error: unknown) => log.warn({ err: error, uploadId: id }, 'The bytes of a closed upload could not be removed; the sweep does it'));
  }
}

/** What became of an upload that is no longer open. */
async function outcomeOf({ db }: App, { refusal, assetId }: Upload): Promise<Received> {
  if (refusal) throw asError(refusal as unknown as Refusal);
  const image = assetId && (await db.asset.findUnique({ where: { id: assetId } }));
  if (!image) throw new UserError('NOT_FOUND', 'The image that this upload became was deleted since');
  return { image, alreadyStored: true };
}

const asError = ({ code, message, hint }: Refusal) => new UserError(code, message, { hint: hint ?? undefined });
