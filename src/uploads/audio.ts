import type { Viewer } from '../access/viewer.ts';
import type { App } from '../app.ts';
import { createAudioClip, findStoredUpload } from '../assets/create.ts';
import type { AudioInspection } from '../compute/audio.ts';
import { audioLimits } from '../compute/limits.ts';
import type { Asset } from '../database/generated/client.ts';
import { UserError } from '../errors.ts';
import { megabytes } from '../sizes.ts';
import { gaveUp, type ReceivedFile } from './receive.ts';

/** Ten megabytes are read in a fraction of a second; a file that needs longer is hostile. */
const inspectTimeoutMs = 20_000;

export interface ReceivedAudio {
  asset: Asset;
  alreadyStored: boolean;
}

/** Makes an audio clip out of a file that is one. Throws a `UserError` for any other. */
export async function receiveAudio(app: App, viewer: Viewer, file: ReceivedFile, facts: { metadata?: unknown; tags?: string[] | null }): Promise<ReceivedAudio> {
  const { maxBytes } = audioLimits(app.config);
  if (file.byteSize === 0) throw new UserError('EMPTY', 'Expected a recording but received no bytes');
  if (file.byteSize > maxBytes) {
    throw new UserError('TOO_LARGE', `File size (${megabytes(file.byteSize)}) exceeds maximum (${megabytes(maxBytes)})`, { hint: 'Save the recording with stronger compression, or cut it into parts' });
  }
  const known = await findStoredUpload(app, viewer, file.sha256, 'AUDIO');
  if (known) return { asset: known, alreadyStored: true };
  return createAudioClip(app, viewer, file, await inspect(app, file.path), facts);
}

async function inspect({ compute, config }: App, path: string): Promise<AudioInspection> {
  return (await compute.run('inspectAudio', { path, limits: audioLimits(config) }, { timeoutMs: inspectTimeoutMs }).catch((error: unknown) => gaveUp('a recording', error))).output;
}
