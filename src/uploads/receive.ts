import type { Viewer } from '../access/viewer.ts';
import type { App } from '../app.ts';
import { createImage, findStoredUpload } from '../assets/create.ts';
import { imageLimits } from '../compute/limits.ts';
import type { Asset, Visibility } from '../database/generated/client.ts';
import { UserError, type ErrorCode } from '../errors.ts';
import { megabytes } from '../sizes.ts';

/** Reading a header and a small raster takes milliseconds; a file that needs longer is hostile. */
const inspectTimeoutMs = 20_000;

export interface UploadFacts {
  title?: string | null;
  tags?: string[] | null;
  metadata?: unknown;
  keepLocation?: boolean | null;
  visibility?: Visibility | null;
}

/** A file of a request, on local disk until the request is answered. */
export interface ReceivedFile {
  path: string;
  filename: string;
  byteSize: number;
  sha256: string;
  tooLarge: boolean;
}

/** What became of one file of a request. One bad file never spoils the others. */
export type UploadOutcome =
  | { kind: 'stored'; index: number; filename: string; image: Asset; alreadyStored: boolean }
  | { kind: 'refused'; index: number; filename: string; code: ErrorCode; message: string; hint: string | null };

/** Makes an image out of each file that is one, and a sentence out of each that is not. */
export async function receiveFiles(app: App, viewer: Viewer, files: ReceivedFile[], facts: UploadFacts): Promise<UploadOutcome[]> {
  return Promise.all(
    files.map(async (file, index): Promise<UploadOutcome> => {
      try {
        return { kind: 'stored', index, filename: file.filename, ...(await receiveFile(app, viewer, file, facts)) };
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        return { kind: 'refused', index, filename: file.filename, code: error.code, message: error.message, hint: error.hint ?? null };
      }
    }),
  );
}

async function receiveFile(app: App, viewer: Viewer, file: ReceivedFile, facts: UploadFacts): Promise<{ image: Asset; alreadyStored: boolean }> {
  if (file.tooLarge) {
    throw new UserError('TOO_LARGE', `File size (${megabytes(file.byteSize)}) exceeds maximum (${megabytes(app.config.UPLOAD_MAX_BYTES)})`, { hint: 'Make the picture smaller, or save it with stronger compression' });
  }
  const known = await findStoredUpload(app, viewer, file.sha256);
  if (known) return { image: known, alreadyStored: true };
  const { output } = await app.compute.run('inspect', { path: file.path, limits: imageLimits(app.config) }, { timeoutMs: inspectTimeoutMs });
  return createImage(app, viewer, file, output, facts);
}
