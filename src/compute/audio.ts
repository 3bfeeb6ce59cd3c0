import { readFile } from 'node:fs/promises';
import { UserError } from '../errors.ts';

/** The audio formats that Darkroom accepts, and what their bytes are called elsewhere. */
export const audioFormats = {
  WAV: { contentType: 'audio/wav', extension: 'wav' },
  MP3: { contentType: 'audio/mpeg', extension: 'mp3' },
  M4A: { contentType: 'audio/mp4', extension: 'm4a' },
  AAC: { contentType: 'audio/aac', extension: 'aac' },
  OGG: { contentType: 'audio/ogg', extension: 'ogg' },
  FLAC: { contentType: 'audio/flac', extension: 'flac' },
  WEBM: { contentType: 'audio/webm', extension: 'webm' },
} as const;
export type AudioFormat = keyof typeof audioFormats;

export interface AudioLimits {
  maxSeconds: number;
}

/** What an upload knows of a recording once it is accepted. */
export interface AudioInspection {
  format: AudioFormat;
  contentType: string;
  /** As the format calls it, such as "Opus" or "PCM". */
  codec: string;
  /** Null where the file does not say, as what browsers record. */
  durationSeconds: number | null;
  sampleRate: number;
  channels: number;
}

/** The names that music-metadata has for containers; an MP4 without a brand of its own says what it is compatible with. */
const containers: [RegExp, AudioFormat][] = [
  [/^WAVE$/, 'WAV'],
  [/^MPEG$/, 'MP3'],
  [/^ADTS/, 'AAC'],
  [/^(M4[ABP]|isom|iso\d|mp4\d|dash|qt)\b/i, 'M4A'],
  [/^Ogg$/, 'OGG'],
  [/^FLAC$/, 'FLAC'],
  [/^EBML\/webm$/, 'WEBM'],
];

/**
 * The facts of an audio file that may come in, by its bytes alone; throws the `UserError` that refuses it otherwise. The format is told by
 * music-metadata, and the whole file is read where its length is not in a header.
 */
export async function inspectAudio({ path, limits }: { path: string; limits: AudioLimits }): Promise<AudioInspection> {
  const { container, codec, sampleRate, numberOfChannels: channels, duration, hasAudio, hasVideo } = await readFormat(await readFile(path));
  const format = containers.find(([pattern]) => pattern.test(container ?? ''))?.[1];
  if (!format) throw unsupported(container ?? 'an unknown format');
  if (hasVideo) throw unsupported(`a film (${container})`, 'Send its sound alone');
  if (!hasAudio || !codec || !sampleRate || !channels || duration === 0) throw corrupt(format);
  const durationSeconds = duration === undefined ? null : Math.round(duration * 1_000) / 1_000;
  if (durationSeconds !== null && durationSeconds > limits.maxSeconds) {
    throw new UserError('TOO_LARGE', `Length (${Math.ceil(durationSeconds)} s) exceeds maximum (${limits.maxSeconds} s)`, { hint: 'Cut the recording into parts' });
  }
  return { format, contentType: audioFormats[format].contentType, codec, durationSeconds, sampleRate, channels };
}

async function readFormat(bytes: Uint8Array) {
  const { CouldNotDetermineFileTypeError, parseBuffer, UnsupportedFileTypeError } = await import('music-metadata');
  try {
    // No name and no type: it has nothing to go by but the bytes.
    return (await parseBuffer(bytes, undefined, { duration: true, skipCovers: true, skipPostHeaders: true })).format;
  } catch (cause) {
    if (cause instanceof CouldNotDetermineFileTypeError || cause instanceof UnsupportedFileTypeError) throw unsupported('bytes of another kind', undefined, cause);
    throw corrupt('audio', cause);
  }
}

const unsupported = (what: string, hint = 'Save the recording as MP3 or WAV', cause?: unknown) =>
  new UserError('UNSUPPORTED_TYPE', `Expected audio of ${Object.keys(audioFormats).join(', ')} but received ${what}`, { hint, cause });

const corrupt = (format: string, cause?: unknown) =>
  new UserError('CORRUPT', `Expected ${format} that can be played but could not read it`, { hint: 'Open the recording in a program and save it anew', cause });
