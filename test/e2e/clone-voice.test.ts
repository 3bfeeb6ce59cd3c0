import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { startTestApp, type TestApp } from '../app.ts';
import type { TestClient } from '../client.ts';
import { startElevenLabs, type ElevenLabs } from '../fixtures/elevenlabs-server.ts';
import { until } from '../until.ts';

const recording = (name: string) => ({ name, bytes: readFileSync(new URL(`../fixtures/audio/${name}`, import.meta.url)) });

const uploadAudio = `mutation ($files: [File!]!) { uploadAudio(files: $files) { results { __typename
  ... on UploadedAudio { index filename alreadyStored audioClip { id format contentType codec durationSeconds sampleRate channels byteSize url { url } } }
  ... on RefusedFile { index filename code message hint } } } }`;

describe.skipIf(inject('settings').REDIS_URL && !inject('postgresUrl'))('recordings and voices', () => {
  let darkroom: TestApp;
  let client: TestClient;
  let vendor: ElevenLabs;
  beforeAll(async () => {
    vendor = await startElevenLabs();
    darkroom = await startTestApp({ AUDIO_MAX_BYTES: '15KB', ...vendor.settings });
    client = await darkroom.client();
  });
  afterAll(async () => {
    await darkroom.stop();
    await vendor.close();
  });

  test('recordings are told by their bytes, stored once and listed; a bad one does not spoil the others', async () => {
    const mp3 = recording('speech.mp3');
    const files = [{ ...mp3, name: '../../a picture.png' }, recording('film.webm'), recording('speech.opus'), { name: 'noise.wav', bytes: randomBytes(16_000) }, { name: 'none.mp3', bytes: Buffer.alloc(0) }, { name: 'zeros.mp3', bytes: Buffer.alloc(900) }];
    const { results } = (await client.send(uploadAudio, files)).data.uploadAudio;
    expect(results).toMatchObject([
      { index: 0, filename: 'a picture.png', alreadyStored: false, audioClip: { format: 'MP3', contentType: 'audio/mpeg', codec: expect.stringContaining('Layer 3'), sampleRate: 8_000, channels: 1, byteSize: mp3.bytes.length } },
      { index: 1, code: 'UNSUPPORTED_TYPE', message: expect.stringContaining('a film'), hint: 'Send its sound alone' },
      { index: 2, audioClip: { format: 'OGG', contentType: 'audio/ogg', codec: 'Opus', durationSeconds: expect.closeTo(0.5, 2) } },
      { index: 3, code: 'TOO_LARGE', message: 'File size (16 KB) exceeds maximum (15 KB)' },
      { index: 4, code: 'EMPTY' },
      { index: 5, code: 'UNSUPPORTED_TYPE' },
    ]);
    const [{ audioClip }] = results;
    const again = (await client.send(uploadAudio, [mp3])).data.uploadAudio.results[0];
    expect(again).toMatchObject({ alreadyStored: true, audioClip: { id: audioClip.id } });

    const stored = await fetch(audioClip.url.url);
    expect(stored.headers.get('content-disposition')).toMatch(/^attachment/);
    expect(stored.headers.get('content-type')).toBe('audio/mpeg');
    expect(Buffer.from(await stored.arrayBuffer())).toEqual(mp3.bytes);

    const list = 'query ($after: String) { audioClips(first: 1, after: $after) { totalCount nodes { id } pageInfo { endCursor hasNextPage } } images(first: 9) { totalCount } }';
    const first = await client.get(list);
    const second = await client.get(list, { after: first.audioClips.pageInfo.endCursor });
    expect(first).toMatchObject({ audioClips: { totalCount: 2, pageInfo: { hasNextPage: true } }, images: { totalCount: 0 } });
    expect([...first.audioClips.nodes, ...second.audioClips.nodes].map(({ id }) => id)).toContain(audioClip.id);
    expect(second.audioClips.pageInfo.hasNextPage).toBe(false);
    const stranger = await darkroom.client();
    expect(await stranger.get('query ($id: ID!) { audioClip(id: $id) { id } node(id: $id) { id } audioClips { totalCount } }', { id: audioClip.id })).toEqual({ audioClip: null, node: null, audioClips: { totalCount: 0 } });
    const { uploadLimits } = await client.get('{ uploadLimits { maxAudioBytes maxAudioSeconds audioFormats } }');
    expect(uploadLimits).toEqual({ maxAudioBytes: 15_000, maxAudioSeconds: 1_800, audioFormats: ['WAV', 'MP3', 'M4A', 'AAC', 'OGG', 'FLAC', 'WEBM'] });
  });

  const start = `mutation ($ids: [ID!]!, $input: CloneVoiceInput!, $options: JobOptions) { cloneVoice(audioIds: $ids, input: $input, options: $options) {
    id status cacheHit provider inputs { id } failure { code hint } result { ... on CloneVoiceResult { voiceId name settings { stability similarityBoost style useSpeakerBoost } requiresVerification } } } }`;
  const upload = async () => (await client.send(uploadAudio, [recording('speech.mp3'), recording('speech.wav')])).data.uploadAudio.results.map((result: { audioClip: { id: string } }) => result.audioClip.id) as string[];

  test('recordings become a voice; the same again is known, another viewer\'s recordings are not, and a cancel leaves nothing there', async () => {
    const ids = await upload();
    const input = { name: 'Anna', style: 0.1 };
    const ask = async (variables: object) => client.ask(start, { ids, input, options: { waitMs: 30_000 }, ...variables });
    const { cloneVoice } = (await ask({})).data;
    expect(cloneVoice).toMatchObject({ status: 'COMPLETED', provider: 'elevenlabs', inputs: ids.map((id) => ({ id })), result: { voiceId: 'voice1', name: 'Anna', settings: { stability: 0.5, similarityBoost: 0.75, style: 0.1, useSpeakerBoost: true }, requiresVerification: false } });
    expect((await ask({})).data.cloneVoice).toMatchObject({ cacheHit: true, result: { voiceId: 'voice1' } });

    expect((await ask({ ids: [] })).errors?.[0]).toMatchObject({ message: 'Expected 1 to 25 audioIds but received 0', extensions: { code: 'INVALID_INPUT' } });
    expect((await ask({ input: { name: 'Anna', stability: 2 } })).errors?.[0]).toMatchObject({ message: expect.stringMatching(/stability/), extensions: { code: 'INVALID_INPUT' } });
    const stranger = await darkroom.client();
    expect((await stranger.ask(start, { ids, input })).errors?.[0]).toMatchObject({ message: 'There is no recording with the id at place 0 of audioIds', extensions: { code: 'NOT_FOUND' } });

    vendor.next('edit', 'hang');
    const held = (await ask({ input: { name: 'Ben' }, options: {} })).data.cloneVoice;
    await until('the voice to be set up', () => vendor.voices.has('voice2'));
    await client.get('mutation ($id: ID!) { cancelJob(id: $id) { outcome } }', { id: held.id });
    expect(await client.untilEnded([held.id])).toMatchObject([{ status: 'CANCELLED' }]);
    await until('the voice to be gone', () => !vendor.voices.has('voice2'));

    vendor.next('add', vendor.refusal(401, 'invalid_api_key', 'Invalid API key'));
    expect((await ask({ input: { name: 'Cleo' } })).data.cloneVoice).toMatchObject({ status: 'FAILED', failure: { code: 'PROVIDER_AUTH', hint: expect.stringContaining('ELEVENLABS_API_KEY') }, result: null });
    expect([...vendor.voices.keys()]).toEqual(['voice1']);
  });
});
