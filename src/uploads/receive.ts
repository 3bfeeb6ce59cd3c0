import type { Viewer } from '../access/viewer.ts';
import type { App } from '../app.ts';
import { createImage, findStoredUpload } from '../assets/create.ts';
import { imageLimits } from '../compute/limits.ts';
import type { Asset, Visibility } from '../database/generated/client.ts';
import { ProviderError, UserError, type ErrorCode } from '../errors.ts';
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

/** What a file became. */
export interface Received {
  image: Asset;
  alreadyStored: boolean;
}

export interface Refusal {
  code: ErrorCode;
  message: string;
  hint: string | null;
}

export type RefusedFile = { kind: 'refused'; index: number; filename: string } & Refusal;

/** What became of one file of a request. One bad file never spoils the others. */
export type Outcome<Thing> = ({ kind: 'stored'; index: number; filename: string } & Thing) | RefusedFile;
export type UploadOutcome = Outcome<Received>;

/** Receives all files at once as `receive` does it, and makes an outcome out of each refusal. */
export function receiveEach<Thing extends object>(filenames: string[], receive: (index: number) => Promise<Thing & { filename?: string }>): Promise<Outcome<Thing>>[] {
  return filenames.map(async (filename, index): Promise<Outcome<Thing>> => {
    try {
      return { kind: 'stored', index, filename, ...(await receive(index)) };
    } catch (error) {
      return { kind: 'refused', index, filename, ...refusalOf(error) };
    }
  });
}

/** What all gave; a failure is thrown once the others have ended too, because the files of a request are removed with its answer. */
export async function allOf<Thing>(promises: Promise<Thing>[]): Promise<Thing[]> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}

/** A refusal as data; anything else is no refusal and is thrown on. */
export function refusalOf(error: unknown): Refusal {
  if (!(error instanceof UserError)) throw error;
  return { code: error.code, message: error.message, hint: error.hint ?? null };
}

/** Makes an image out of a file that is one; whichever way it came, this is the only door. Throws a `UserError` for any other. */
export async function receiveFile(app: App, viewer: Viewer, file: ReceivedFile, facts: UploadFacts): Promise<Received> {
  if (file.tooLarge) throw tooLarge(app, file.byteSize);
  const known = await findStoredUpload(app, viewer, file.sha256);
  if (known) return { image: known, alreadyStored: true };
  const { output } = await app.compute.run('inspect', { path: file.path, limits: imageLimits(app.config) }, { timeoutMs: inspectTimeoutMs }).catch((error: unknown) => gaveUp('a picture', error));
  return createImage(app, viewer, file, output, facts);
}

/** A file that cost its child must not cost the other files of the request: it is refused, and anything else is thrown on. */
export function gaveUp(what: string, error: unknown): never {
  if (!(error instanceof ProviderError)) throw error;
  throw new UserError('CORRUPT', `Expected ${what} that can be read with little time and memory but gave up on it (${error.code})`, { hint: 'Open it in a program and save it anew, smaller and without layers, passes or animation', cause: error });
}

export const tooLarge = ({ config }: Pick<App, 'config'>, byteSize: number) =>
  new UserError('TOO_LARGE', `File size (${megabytes(byteSize)}) exceeds maximum (${megabytes(config.UPLOAD_MAX_BYTES)})`, { hint: 'Make the picture smaller, or save it with stronger compression' });
