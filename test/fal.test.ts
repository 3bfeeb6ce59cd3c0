import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HandedOver, type ProviderError } from '../src/errors.ts';
import { falUnavailable, runOnFal } from '../src/operations/fal.ts';
import { readConfig } from '../src/config.ts';
import { type Fal, type FalRoute, startFal, statusStream } from './fixtures/fal-server.ts';
import { failureOf, runOf, useWorkshop, type RunOptions } from './fixtures/provider-run.ts';
import { commonFailures } from './fixtures/vendor-failures.ts';
import type { Turn } from './fixtures/vendor-server.ts';
import { until } from './until.ts';

const workshop = useWorkshop();
let fal: Fal;
beforeEach(async () => (fal = await startFal({ result: (input) => ({ echo: input }) })));
afterEach(() => fal.close());

const model = 'fal-ai/flux/schnell';
const start = (options: RunOptions = {}, part = 0) => {
  const run = runOf(workshop, {}, { ...options, settings: { ...fal.settings, ...options.settings } });
  return runOnFal(run, { part, model, input: { prompt: 'a cat', part }, onStatus: ({ status, position }) => run.progress(0, `${status} ${position}`) }).finally(() => (seen = run.stages));
};
let seen: string[] = [];
/** The first and all that follow a fault. */
const everyTry = (turn: Turn): Turn[] => [turn, turn, turn, turn];

test('a request waits, runs and is completed, and its answer comes back', async () => {
  expect(await start()).toEqual({ echo: { prompt: 'a cat', part: 0 } });
  expect(seen).toEqual(['IN_QUEUE 1', 'IN_PROGRESS null', 'COMPLETED null']);
  expect(fal.received.map(({ method, url }) => `${method} ${url.pathname}`)).toEqual([
    'POST /fal-ai/flux/schnell',
    'GET /fal-ai/flux/requests/request-1/status/stream',
    'GET /fal-ai/flux/requests/request-1',
  ]);
  expect(fal.received[0]!.headers).toMatchObject({ authorization: `Key ${fal.key}`, 'content-type': 'application/json' });
});

test('a status stream that ends too early is opened again, and nothing is told twice', async () => {
  fal.next('status', statusStream([{ status: 'IN_QUEUE', queue_position: 1 }]), statusStream([]));
  expect(await start()).toEqual({ echo: { prompt: 'a cat', part: 0 } });
  expect(seen).toEqual(['IN_QUEUE 1', 'IN_PROGRESS null', 'COMPLETED null']);
  expect(fal.count('status')).toBe(3);
});

test('a pause that fal asks for is no silence, however long it is', async () => {
  fal.next('status', { status: 429, headers: { 'Retry-After': '1' } });
  expect(await start({ settings: { PROVIDER_TIMEOUT: '700ms' } })).toEqual({ echo: { prompt: 'a cat', part: 0 } });
  expect(fal.count('status')).toBe(2);
});

test('without a key it says what is needed', () => {
  expect(falUnavailable(readConfig({}))).toMatch(/FAL_KEY/);
  expect(falUnavailable(readConfig(fal.settings))).toBeNull();
});

describe('what is paid for is not paid for twice', () => {
  test('an attempt after a crash waits for the request of the one before', async () => {
    const remembered = new Map<string, string>();
    fal.next('status', ...everyTry('drop'));
    await expect(start({ remembered })).rejects.toMatchObject({ code: 'PROVIDER_ERROR', retryable: true });
    expect([...remembered.values()]).toEqual(['request-1']);
    expect(await start({ remembered })).toEqual({ echo: { prompt: 'a cat', part: 0 } });
    expect(fal.count('submit')).toBe(1);
    await start({ remembered }, 1);
    expect(fal.count('submit')).toBe(2);
  });

  test('a fault on the way to a request does not lose it, and three in a row do not', async () => {
    fal.next('status', 'drop', { status: 502 }, 'drop');
    fal.next('result', 'drop');
    expect(await start()).toEqual({ echo: { prompt: 'a cat', part: 0 } });
    expect([fal.count('submit'), fal.count('status'), fal.count('result'), fal.count('cancel')]).toEqual([1, 5, 2, 0]);
  });

  test('a request that fal has forgotten is sent anew', async () => {
    expect(await start({ remembered: new Map([[`fal ${model} 0`, 'of-last-year']]) })).toEqual({ echo: { prompt: 'a cat', part: 0 } });
    expect(fal.count('submit')).toBe(1);
  });

  test('after a failure of the model the next attempt is a new request; after one of ours it is not', async () => {
    const remembered = new Map<string, string>();
    fal.next('result', { status: 500, body: { detail: 'Runner died' } });
    await expect(start({ remembered })).rejects.toMatchObject({ code: 'PROVIDER_ERROR', retryable: true, message: expect.stringContaining('Runner died') });
    expect(remembered.size).toBe(0);
    fal.next('result', { status: 401 }, ...everyTry('drop'));
    await expect(start({ remembered })).rejects.toMatchObject({ code: 'PROVIDER_AUTH' });
    await expect(start({ remembered })).rejects.toMatchObject({ code: 'PROVIDER_ERROR' });
    expect([...remembered.values()]).toEqual(['request-2']);
  });

  test('a request whose id cannot be written down is cancelled', async () => {
    const run = runOf(workshop, {}, { settings: fal.settings });
    run.remember = () => Promise.reject(new Error('The lease was lost'));
    await expect(runOnFal(run, { part: 0, model, input: {} })).rejects.toThrow('The lease was lost');
    expect(fal.requests.get('request-1')!.cancelled).toBe(true);
  });
});

describe('an abort', () => {
  test.each<[string, Error, boolean]>([['for good cancels the request at fal', new Error('Cancelled'), true], ['of a job that goes on elsewhere leaves the request alone', new HandedOver('This process is stopping'), false]])('%s', async (_name, reason, cancels) => {
    const controller = new AbortController();
    fal.every('status', statusStream([{ status: 'IN_PROGRESS' }], true));
    const outcome = start({ signal: controller.signal }).catch((error: unknown) => error);
    await until('fal has been asked', () => fal.count('status') > 0);
    controller.abort(reason);
    expect(await outcome).toBe(reason);
    expect(fal.requests.get('request-1')!.cancelled).toBe(cancels);
    await until('the stream is closed', () => fal.received.find(({ route }) => route === 'status')!.wasLeft);
  });

  test('is not held up by a cancel that fails', async () => {
    const controller = new AbortController();
    fal.every('status', 'hang');
    fal.every('cancel', { status: 500 });
    const outcome = start({ signal: controller.signal }).catch((error: unknown) => error);
    await until('fal has been asked', () => fal.count('status') === 1);
    controller.abort(new Error('Cancelled'));
    expect(await outcome).toMatchObject({ message: 'Cancelled' });
    expect(fal.count('cancel')).toBe(1);
  });
});

describe('a failure says whether another try is worth it', () => {
  const refusals: [string, Turn, Partial<ProviderError>][] = [
    ['a wrong key (401)', { status: 401, body: { detail: 'Authentication is required' } }, { code: 'PROVIDER_AUTH', retryable: false, hint: expect.stringContaining('FAL_KEY') }],
    ['an account without credit (403)', { status: 403, body: { detail: 'User is locked. Reason: Exhausted balance.' } }, { code: 'PROVIDER_AUTH', retryable: false, message: expect.stringContaining('Exhausted balance') }],
    ['an input that breaks a rule (422)', { status: 422, body: { detail: [{ loc: ['body', 'prompt'], msg: 'field required', type: 'value_error.missing' }] } }, { code: 'PROVIDER_REFUSED', retryable: false, message: expect.stringContaining('field required') }],
    ['content against the rules (422)', { status: 422, body: { detail: [{ loc: ['body', 'prompt'], msg: 'The content was flagged by a content checker.', type: 'content_policy_violation' }] } }, { code: 'PROVIDER_REFUSED', retryable: false, message: expect.stringContaining('content_policy_violation, The content was flagged') }],
  ];
  const cases = [...commonFailures({ hint: 'FAL_KEY' }), ...refusals];
  test.each(cases)('at the submission: %s', async (_name, turn, expected) => {
    fal.next('submit', turn);
    expect(await failureOf(start(), fal.key)).toMatchObject(expected);
    expect(fal.received).toHaveLength(1);
  });

  test.each<[FalRoute, Turn, Partial<ProviderError>]>([
    ['status', statusStream([{ status: 'PERHAPS' }]), { code: 'PROVIDER_ERROR', retryable: true }],
    ['status', { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>Sign in to the hotel network</html>' }, { code: 'PROVIDER_ERROR', retryable: true, message: expect.stringContaining('stream of events') }],
    ['status', statusStream([{ status: 'IN_QUEUE' }], true), { code: 'PROVIDER_TIMEOUT', retryable: true }],
    ['status', 'hang', { code: 'PROVIDER_TIMEOUT', retryable: true }],
    ['result', 'hang in the body', { code: 'PROVIDER_TIMEOUT', retryable: true }],
    ['result', refusals[3]![1], { code: 'PROVIDER_REFUSED', retryable: false }],
    ['result', { status: 504, body: { detail: 'Request timed out', error_type: 'request_timeout' } }, { code: 'PROVIDER_ERROR', retryable: true, message: expect.stringContaining('Request timed out') }],
  ])('later, at the %s: %j', async (route, turn, expected) => {
    fal.every(route, turn);
    expect(await failureOf(start({ settings: { PROVIDER_TIMEOUT: '300ms' } }), fal.key)).toMatchObject(expected);
  });

  test('an id that is none leads nowhere', async () => {
    fal.next('submit', { status: 200, body: { request_id: '../../another/app' } });
    expect(await failureOf(start(), fal.key)).toMatchObject({ code: 'PROVIDER_ERROR' });
    expect(fal.received).toHaveLength(1);
  });
});
