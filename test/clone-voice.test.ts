import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HandedOver, type ProviderError } from '../src/errors.ts';
import { parametersSchema } from '../src/operations/clone-voice/parameters.ts';
import { elevenlabs } from '../src/operations/clone-voice/providers/elevenlabs.ts';
import { startElevenLabs, type ElevenLabs } from './fixtures/elevenlabs-server.ts';
import { failureOf, runOf, type RunOptions, useWorkshop } from './fixtures/provider-run.ts';
import { commonFailures } from './fixtures/vendor-failures.ts';
import type { Turn } from './fixtures/vendor-server.ts';
import { until } from './until.ts';

const workshop = useWorkshop();
let vendor: ElevenLabs;
beforeEach(async () => void (vendor = await startElevenLabs()));
afterEach(() => vendor.close());

const inputs = [['speech.mp3', 'audio/mpeg', 1_532], ['speech.wav', 'audio/wav', 8_044]].map(([name, contentType, byteSize]) => ({
  path: fileURLToPath(new URL(`fixtures/audio/${name}`, import.meta.url)), filename: 'Anna Smith.mp3', contentType: String(contentType), byteSize: Number(byteSize), width: null, height: null,
}));
const parameters = parametersSchema.parse({ name: 'Anna', description: 'Reads the news', labels: { language: 'en' }, stability: 0.3 });
const clone = (options: RunOptions = {}) => elevenlabs.run(runOf(workshop, parameters, { inputs, ...options, settings: { ...vendor.settings, ...options.settings } }));

test('recordings become a voice with its settings; their names stay here', async () => {
  const { result } = await clone();
  expect(result).toEqual({ voiceId: 'voice1', name: 'Anna', description: 'Reads the news', settings: { stability: 0.3, similarityBoost: 0.75, style: 0, useSpeakerBoost: true }, requiresVerification: false });
  await until('the form to be read', () => vendor.voices.get('voice1')?.name === 'Anna');
  expect(vendor.voices.get('voice1')).toEqual({
    name: 'Anna', description: expect.stringMatching(/^Reads the news\s+\(darkroom [\da-f-]{36}\)$/), labels: { language: 'en' }, removeBackgroundNoise: 'false',
    files: [{ name: 'recording-1.mpeg', type: 'audio/mpeg', byteSize: 1_532 }, { name: 'recording-2.wav', type: 'audio/wav', byteSize: 8_044 }],
    settings: { stability: 0.3, similarity_boost: 0.75, style: 0, use_speaker_boost: true },
  });
  expect(vendor.received.find(({ route }) => route === 'add')!.bytes.includes('Smith')).toBe(false);
});

describe('a failure says whether another try is worth it, and leaves no voice', () => {
  const hint = expect.stringContaining('ELEVENLABS_API_KEY');
  const said = (status: number, code: string, message: string): Turn => ({ status, body: { detail: { status: code, message } } });
  const cases: [string, Turn, Partial<ProviderError>][] = [
    ['a wrong key (401)', said(401, 'invalid_api_key', 'Invalid API key'), { code: 'PROVIDER_AUTH', retryable: false, hint, message: expect.stringContaining('invalid_api_key, Invalid API key') }],
    ['no credits left (401)', said(401, 'quota_exceeded', 'This request exceeds your quota.'), { code: 'PROVIDER_AUTH', retryable: false, hint: expect.stringContaining('plan'), message: expect.stringContaining('quota_exceeded') }],
    ['no voices left (400)', said(400, 'voice_limit_reached', 'You have reached your maximum amount of custom voices.'), { code: 'PROVIDER_REFUSED', retryable: false, message: expect.stringContaining('voice_limit_reached') }],
    ['a broken rule (422)', { status: 422, body: { detail: [{ loc: ['body', 'name'], msg: 'Field required', type: 'missing' }] } }, { code: 'PROVIDER_REFUSED', retryable: false, message: expect.stringContaining('Field required') }],
    ['too many at once (429)', said(429, 'too_many_concurrent_requests', 'Too many concurrent requests.'), { code: 'PROVIDER_RATE_LIMITED', retryable: true, retryAfterMs: 5_000 }],
    ...commonFailures({ hint: 'ELEVENLABS_API_KEY' }),
  ];
  test.each(cases)('adding: %s', async (_name, turn, expected) => {
    vendor.next('add', turn);
    expect(await failureOf(clone(), vendor.key)).toMatchObject(expected);
    expect(vendor.voices.size).toBe(0);
  });
  // Where it asks for a longer pause than a job waits, the voice stays until the next attempt.
  test.each(cases.filter(([, , { retryAfterMs = 0 }]) => Number(retryAfterMs) <= 10_000))('setting up: %s', async (_name, turn, expected) => {
    vendor.next('edit', turn);
    expect(await failureOf(clone(), vendor.key)).toMatchObject({ code: expected.code, retryable: expected.retryable });
    expect(vendor.count('remove')).toBe(1);
    expect(vendor.voices.size).toBe(0);
  }, 20_000);

  test('no answer in time', async () => {
    vendor.next('edit', 'hang in the body');
    expect(await failureOf(clone({ settings: { PROVIDER_TIMEOUT: '300ms' } }), vendor.key)).toMatchObject({ code: 'PROVIDER_TIMEOUT', retryable: true });
    expect(vendor.voices.size).toBe(0);
  });

  test('one that cannot be removed either is told of, with what to look for', async () => {
    vendor.next('edit', { status: 500 });
    vendor.every('remove', { status: 500 });
    expect(await failureOf(clone(), vendor.key)).toMatchObject({ code: 'PROVIDER_ERROR', retryable: true, message: expect.stringContaining('may have been left'), hint: expect.stringMatching(/darkroom [\da-f-]{36}/) });
  });
});

describe('a job that is stopped', () => {
  test('while it is set up leaves no voice', async () => {
    const controller = new AbortController();
    vendor.next('edit', 'hang');
    const outcome = clone({ signal: controller.signal }).catch((error: unknown) => error);
    await until('the settings to be sent', () => vendor.count('edit') === 1);
    const reason = new Error('Cancelled');
    controller.abort(reason);
    expect(await outcome).toBe(reason);
    expect(vendor.voices.size).toBe(0);
  });

  test('while the recordings are on their way waits for the answer, to know what to remove', async () => {
    const controller = new AbortController();
    const outcome = clone({ signal: controller.signal }).catch((error: unknown) => error);
    controller.abort(new Error('Cancelled'));
    expect(await outcome).toMatchObject({ message: 'Cancelled' });
    expect(vendor.voices.size).toBe(0);
  });

  test('because somebody takes over leaves its marker, and the next attempt removes what it finds before it makes its own', async () => {
    const controller = new AbortController();
    const remembered = new Map<string, string>();
    vendor.next('edit', 'hang');
    const outcome = clone({ signal: controller.signal, remembered }).catch((error: unknown) => error);
    await until('the settings to be sent', () => vendor.count('edit') === 1);
    controller.abort(new HandedOver('This process is stopping'));
    expect(await outcome).toBeInstanceOf(HandedOver);
    expect([...vendor.voices.keys()]).toEqual(['voice1']);
    const { result, undo } = await clone({ remembered });
    expect(result.voiceId).toBe('voice2');
    expect([...vendor.voices.keys()]).toEqual(['voice2']);
    await undo!();
    expect(vendor.voices.size).toBe(0);
  });
});
