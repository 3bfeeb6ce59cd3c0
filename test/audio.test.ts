import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { inspectAudio } from '../src/compute/audio.ts';
import { UserError } from '../src/errors.ts';

let folder: string;
beforeAll(async () => (folder = await mkdtemp(join(tmpdir(), 'darkroom-audio-'))));
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Half a second of a spoken word at 8 kHz, coded by ffmpeg; recorded.webm as browsers record, without a length. */
const recording = (name: string) => readFileSync(new URL(`./fixtures/audio/${name}`, import.meta.url));

async function inspect(bytes: Uint8Array, maxSeconds = 60) {
  const path = join(folder, 'spooled');
  await writeFile(path, bytes);
  return inspectAudio({ path, limits: { maxSeconds } });
}
const refusal = async (bytes: Uint8Array, maxSeconds?: number) => inspect(bytes, maxSeconds).then((facts) => facts, (error: unknown) => error);

test.each([
  ['speech.wav', { format: 'WAV', contentType: 'audio/wav', codec: 'PCM' }],
  ['speech.mp3', { format: 'MP3', contentType: 'audio/mpeg', codec: 'MPEG 2.5 Layer 3' }],
  ['speech.m4a', { format: 'M4A', contentType: 'audio/mp4', codec: 'MPEG-4/AAC' }],
  ['speech.aac', { format: 'AAC', contentType: 'audio/aac', codec: 'AAC' }],
  ['speech.opus', { format: 'OGG', contentType: 'audio/ogg', codec: 'Opus' }],
  ['speech.flac', { format: 'FLAC', contentType: 'audio/flac', codec: 'FLAC' }],
  ['speech.webm', { format: 'WEBM', contentType: 'audio/webm', codec: 'OPUS' }],
])('%s is known by its bytes', async (name, expected) => {
  const facts = await inspect(recording(name));
  expect(facts).toMatchObject({ ...expected, sampleRate: 8_000 });
  expect(facts.durationSeconds).toBeGreaterThan(0.25);
  expect(facts.durationSeconds).toBeLessThan(0.9);
});

test('a length that the file does not say is not made up', async () => {
  expect(await inspect(recording('recorded.webm'))).toMatchObject({ format: 'WEBM', durationSeconds: null, channels: 1 });
});

test('what is too long is refused with both lengths', async () => {
  const minute = Buffer.concat([recording('speech.wav').subarray(0, 44), Buffer.alloc(8_000 * 2 * 61)]);
  minute.writeUInt32LE(minute.length - 8, 4);
  minute.writeUInt32LE(minute.length - 44, 40);
  expect(await refusal(minute)).toMatchObject({ code: 'TOO_LARGE', message: 'Length (61 s) exceeds maximum (60 s)' });
});

describe('what is no recording is refused in a sentence, whatever it claims', () => {
  const wav = recording('speech.wav');
  const cases: [string, Uint8Array, string][] = [
    ['a film', recording('film.webm'), 'UNSUPPORTED_TYPE'],
    ['a text', Buffer.from('{ "name": "speech.wav" }'.repeat(100)), 'UNSUPPORTED_TYPE'],
    ['zeros', Buffer.alloc(50_000), 'UNSUPPORTED_TYPE'],
    ['a header without sound', wav.subarray(0, 20), 'CORRUPT'],
    ['half an M4A', recording('speech.m4a').subarray(0, 1_000), 'CORRUPT'],
    ['a WAV that promises 4 GB in a chunk', Buffer.concat([wav.subarray(0, 12), Buffer.from('LIST'), Buffer.from([0xff, 0xff, 0xff, 0xff]), wav.subarray(12)]), 'CORRUPT'],
  ];
  test.each(cases)('%s', async (_name, bytes, code) => {
    const error = await refusal(bytes);
    expect(error).toBeInstanceOf(UserError);
    expect(error).toMatchObject({ code, hint: expect.any(String) });
  });

  test('bytes of every format with a byte changed anywhere are accepted or refused, never anything else', async () => {
    for (const name of ['speech.mp3', 'speech.m4a', 'speech.opus', 'speech.webm', 'speech.aac', 'speech.flac', 'speech.wav']) {
      const bytes = recording(name);
      for (let at = 0; at < Math.min(bytes.length, 400); at += 7) {
        const broken = Buffer.from(bytes);
        broken[at]! ^= 0xff;
        const outcome = await refusal(broken);
        if (outcome instanceof Error) expect(outcome, `${name} at ${at}`).toBeInstanceOf(UserError);
      }
    }
  });
});
