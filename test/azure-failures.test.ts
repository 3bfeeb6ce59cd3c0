import { describe, expect, test } from 'vitest';
import type { ProviderError } from '../src/errors.ts';
import { parseRetryAfter } from '../src/http/http.ts';
import { auto } from '../src/operations/analyze/providers/auto.ts';
import { azureVision } from '../src/operations/analyze/providers/azure-vision.ts';
import { azure, describeBy, failureOf, http, useAzure } from './fixtures/azure-run.ts';
import { documentedError, startAzure, type Turn } from './fixtures/azure-server.ts';
import { commonFailures } from './fixtures/vendor-failures.ts';
import { until } from './until.ts';

useAzure({ outageMs: 400 });

describe('a failure of Azure says whether another try is worth it', () => {
  const cases: [string, Turn, Partial<ProviderError>][] = [
    ...commonFailures({ hint: 'AZURE_VISION_ENDPOINT' }),
    ['a wrong key (401)', documentedError(401), { code: 'PROVIDER_AUTH', retryable: false, hint: expect.stringContaining('AZURE_VISION_KEY') }],
    ['a forbidden key (403)', { status: 403, body: { error: { code: '403', message: 'Out of call volume quota.' } } }, { code: 'PROVIDER_AUTH', retryable: false, message: expect.stringContaining('Out of call volume') }],
    ['bytes that are no image', documentedError(400, 'InvalidImageFormat'), { code: 'PROVIDER_REFUSED', retryable: false, message: expect.stringContaining('InvalidImageFormat, Input data is not a valid image.') }],
    ['too large an image', documentedError(400, 'InvalidImageSize'), { code: 'PROVIDER_REFUSED', retryable: false, message: expect.stringContaining('too large') }],
    ['an older shape of error', { status: 400, body: { code: 'NotSupportedImage', message: 'Not supported.' } }, { code: 'PROVIDER_REFUSED', message: expect.stringContaining('NotSupportedImage') }],
    ['a pause in seconds (429)', documentedError(429), { code: 'PROVIDER_RATE_LIMITED', retryable: true, retryAfterMs: 2_000, message: expect.stringContaining('exceeded call rate limit') }],
    ['a list where an object should be', { status: 200, body: { tags: { name: 'no list' }, metadata: { width: 1, height: 1 } } }, { code: 'PROVIDER_ERROR', retryable: true }],
  ];
  test.each(cases)('%s', async (_name, turn, expected) => {
    azure.next('analyze', turn);
    expect(await failureOf()).toMatchObject(expected);
    expect(azure.count('analyze')).toBe(1);
    expect(azure.count('read')).toBe(0);
  });

  test.each(['hang', 'hang in the body'] as const)('%s: it does not wait longer than it may', async (turn) => {
    azure.next('analyze', turn);
    expect(await failureOf({ settings: { PROVIDER_TIMEOUT: '200ms' } })).toMatchObject({ code: 'PROVIDER_TIMEOUT', retryable: true });
    await until('the connection is closed', () => azure.received[0]?.wasLeft);
  });

  test('a pause until a date', async () => {
    azure.next('analyze', { ...documentedError(429), headers: { 'Retry-After': new Date(Date.now() + 60_000).toUTCString() } });
    const { code, retryAfterMs } = await failureOf();
    expect(code).toBe('PROVIDER_RATE_LIMITED');
    expect(retryAfterMs).toBeGreaterThan(50_000);
    expect(retryAfterMs).toBeLessThanOrEqual(60_000);
  });

  test('a wish for a pause is seconds or a date, between a second and ten minutes', () => {
    const now = Date.parse('2026-01-01T00:00:00Z');
    const wishes = { '120': 120_000, ' 3 ': 3_000, '0': 1_000, '99999': 600_000, 'Thu, 01 Jan 2026 00:00:30 GMT': 30_000, 'Wed, 31 Dec 2025 00:00:00 GMT': 1_000, soon: undefined };
    for (const [wish, ms] of Object.entries(wishes)) expect(parseRetryAfter(wish, now), wish).toBe(ms);
    expect(parseRetryAfter(null, now)).toBeUndefined();
  });

  test('nobody there', async () => {
    await azure.close();
    expect(await failureOf()).toMatchObject({ code: 'PROVIDER_ERROR', retryable: true, message: expect.stringContaining('ECONNREFUSED') });
  });

  test('a key that Azure does not know', async () => {
    expect(await failureOf({ settings: { AZURE_VISION_KEY: 'another-key' } })).toMatchObject({ code: 'PROVIDER_AUTH', retryable: false });
  });

  test('a redirect is not followed: the key goes nowhere else', async () => {
    const elsewhere = await startAzure();
    azure.next('analyze', { status: 307, headers: { location: `${elsewhere.endpoint}/vision/v3.2/analyze` } });
    expect(await failureOf()).toMatchObject({ code: 'PROVIDER_ERROR', retryable: false, message: expect.stringContaining('redirect') });
    expect(elsewhere.received).toEqual([]);
    await elsewhere.close();
  });
});

test.each(['analyze', 'read', 'result'] as const)('an abort ends the call: the server sees the connection of %s close', async (route) => {
  const controller = new AbortController();
  azure.next(route, 'hang');
  const reason = new Error('Cancelled');
  const outcome = describeBy(azureVision, { signal: controller.signal }).catch((error: unknown) => error);
  await until('the call has arrived', () => azure.count(route) === 1);
  controller.abort(reason);
  expect(await outcome).toBe(reason);
  await until('the connection is closed', () => azure.received.find((entry) => entry.route === route)?.wasLeft);
});

describe('one gate for each key', () => {
  test('a pause that one call was asked for holds for all: they are sent back to wait without a call, other keys are not', async () => {
    azure.next('analyze', { ...documentedError(429), headers: { 'Retry-After': '30' } });
    expect(await failureOf()).toMatchObject({ retryAfterMs: 30_000, deferMs: undefined });
    const waiting = await Promise.all([failureOf(), failureOf(), failureOf({}, auto)]);
    for (const { code, deferMs } of waiting) {
      expect(code).toBe('PROVIDER_RATE_LIMITED');
      expect(deferMs).toBeGreaterThan(25_000);
    }
    expect(azure.count('analyze')).toBe(1);
    expect(await failureOf({ settings: { AZURE_VISION_KEY: 'another-key' } })).toMatchObject({ code: 'PROVIDER_AUTH' });
    expect(azure.count('analyze')).toBe(2);
  });

  test('after five faults in a row nobody calls for a while; then one asks, and its good answer opens the gate', async () => {
    azure.every('analyze', documentedError(500));
    for (let fault = 1; fault <= 5; fault++) expect(await failureOf()).toMatchObject({ code: 'PROVIDER_ERROR', deferMs: undefined });
    expect(await failureOf()).toMatchObject({ code: 'PROVIDER_ERROR', deferMs: expect.any(Number), message: expect.stringContaining('5 times in a row') });
    expect(azure.count('analyze')).toBe(5);

    azure.every('analyze');
    azure.next('analyze', 'hang');
    const isOpen = () => {
      try {
        http.checkGate({ provider: 'azure-vision', key: azure.key, hint: '' });
        return true;
      } catch (error) {
        return String(error);
      }
    };
    await until('the gate lets one through', isOpen);
    const controller = new AbortController();
    const first = describeBy(azureVision, { signal: controller.signal }).catch((error: unknown) => error);
    await until('the first one asks', () => azure.count('analyze') === 6);
    expect(await failureOf()).toMatchObject({ deferMs: expect.any(Number) });
    expect(azure.count('analyze')).toBe(6);
    controller.abort();
    await first;
    await until('the gate lets the next one through', isOpen);
    await describeBy(azureVision);
    expect(await Promise.all([describeBy(azureVision), describeBy(azureVision)])).toHaveLength(2);
  });

  test('refusals are answers: they are no outage', async () => {
    azure.every('analyze', documentedError(400));
    for (let refusal = 1; refusal <= 7; refusal++) expect(await failureOf()).toMatchObject({ code: 'PROVIDER_REFUSED' });
    expect(azure.count('analyze')).toBe(7);
  });
});

describe('auto', () => {
  test.each<[string, Turn, boolean]>([['fails', documentedError(500), true], ['refuses our key', documentedError(401), true], ['refuses the picture', documentedError(400), false], ['is silent', 'hang', true]])(
    'when Azure %s the local words stand, with the reason',
    async (_name, turn, isPartial) => {
      azure.next('analyze', turn);
      const words = await describeBy(auto, { settings: { PROVIDER_TIMEOUT: '300ms' } });
      expect(words).toMatchObject({ source: { provider: 'local' }, isPartial, tags: [], caption: null });
      expect(words.unavailable.map(({ feature }) => feature)).toEqual(expect.arrayContaining(['objects', 'faces', 'text']));
      for (const { reason } of words.unavailable) expect(reason).toMatch(/^azure-vision could not help: /);
    },
  );

  test('a short pause is waited for', async () => {
    azure.next('analyze', { ...documentedError(429), headers: { 'Retry-After': '1' } });
    expect((await describeBy(auto)).source.provider).toBe('azure-vision');
  });

  test('an abort is an abort, not a reason to fall back', async () => {
    const controller = new AbortController();
    azure.next('analyze', 'hang');
    const outcome = describeBy(auto, { signal: controller.signal }).catch((error: unknown) => error);
    await until('the call has arrived', () => azure.count('analyze') === 1);
    controller.abort(new Error('Cancelled'));
    expect(await outcome).toMatchObject({ message: 'Cancelled' });
  });
});
