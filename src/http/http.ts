import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { type FailureCode, ProviderError } from '../errors.ts';
import { createGuard } from './guard.ts';
import { createOutward, type Outward } from './outward.ts';

/** Who calls whom. Everybody who calls one provider with one key stands at the same gate. */
export interface Account {
  provider: string;
  /** Tells accounts apart; no message ever shows it. */
  key: string;
  /** What helps when the key is refused. */
  hint: string;
}

export interface Call {
  url: string;
  method: string;
  headers: Record<string, string>;
  /** A form is sent as multipart; files in it that are backed by the disk are read while they are sent. */
  body?: Uint8Array<ArrayBuffer> | FormData;
  signal: AbortSignal;
  /** For the whole of it: connecting, sending, waiting and the last byte of the answer. */
  timeoutMs: number;
  /** Waits up to this long at a closed gate, and after a 429; without it the job is sent back to wait. */
  patienceMs?: number;
  /** Of the answer, at the most. Without it 10 MB. */
  maxBytes?: number;
}

/** A call whose answer is JSON, and its body too unless it is a form. */
export interface JsonCall extends Omit<Call, 'body'> {
  body?: unknown;
}

export interface Answer {
  status: number;
  headers: Record<string, string>;
  text: string;
}

/** The one way out: to providers, whose addresses the settings name, and to what others name (`Outward`). */
export interface Http extends Outward {
  /** Throws a `ProviderError` with `deferMs` while nobody may call with this account: the provider asked for a pause, or is down. */
  checkGate(account: Account): void;
  /**
   * A good answer, or a `ProviderError` that says whether another try is worth it. Never tries again by itself, except after a pause that
   * fits into `patienceMs`; follows no redirect, which would carry the key elsewhere. Rejects with the signal's reason when that is aborted.
   */
  call(account: Account, call: Call): Promise<Answer>;
  /** As `call`; what is no JSON that `schema` takes is a `ProviderError` as well, and worth another try: most such answers come from a proxy. */
  json<Schema extends z.ZodType>(account: Account, schema: Schema, call: JsonCall): Promise<z.infer<Schema>>;
}

const defaultMaxBytes = 10_000_000;
/** A provider that asks for a longer pause is asked again after this one all the same; one that asks for none gets a breath. */
const maxPauseMs = 600_000;
const minPauseMs = 1_000;
/** A 429 that does not say how long. */
const defaultPauseMs = 5_000;
/** So many faults in a row, from whichever job, are an outage: one call at a time asks whether it is over, each pause twice as long as the last. */
const outageFaults = 5;
const firstOutageMs = 5_000;
const maxOutageMs = 300_000;
const answers = new Set<FailureCode>(['PROVIDER_AUTH', 'PROVIDER_REFUSED', 'PROVIDER_RATE_LIMITED']);

export function createHttp({ outageMs = firstOutageMs, outward = createOutward(createGuard()) }: { outageMs?: number; outward?: Outward } = {}): Http {
  const gates = new Map<string, Gate>();
  const gateOf = ({ provider, key }: Account): Gate => {
    const name = `${provider} ${key}`;
    const gate = gates.get(name) ?? createGate(provider, outageMs);
    gates.set(name, gate);
    return gate;
  };
  const http: Http = {
    ...outward,
    checkGate: (account) => gateOf(account).check(),
    async json(account, schema, { body, ...call }) {
      const isJson = body !== undefined && !(body instanceof FormData);
      const headers = { accept: 'application/json', ...call.headers, ...(isJson && { 'content-type': 'application/json' }) };
      const { text } = await http.call(account, { ...call, headers, ...(body instanceof FormData && { body }), ...(isJson && { body: new TextEncoder().encode(JSON.stringify(body)) }) });
      try {
        return schema.parse(JSON.parse(text));
      } catch (cause) {
        throw new ProviderError('PROVIDER_ERROR', `Expected an answer of ${account.provider} as its documentation says but received something else`, { retryable: true, hint: account.hint, cause });
      }
    },
    async call(account, call) {
      const gate = gateOf(account);
      const patientUntil = Date.now() + (call.patienceMs ?? 0);
      for (;;) {
        await gate.pass(patientUntil, call.signal);
        try {
          const answer = await send(account, call);
          gate.report(null);
          return answer;
        } catch (error) {
          gate.report(error);
          const pauseMs = error instanceof ProviderError && error.code === 'PROVIDER_RATE_LIMITED' ? error.retryAfterMs : undefined;
          if (pauseMs === undefined || Date.now() + pauseMs > patientUntil) throw error;
        }
      }
    },
  };
  return http;
}

interface Gate {
  check(): void;
  /** Waits for an open gate, at most until `patientUntil`; then throws as `check` does. Everybody who passed must `report`. */
  pass(patientUntil: number, signal: AbortSignal): Promise<void>;
  report(error: unknown): void;
}

/** One per account: what one call learns of the provider all others heed. */
function createGate(provider: string, outageMs: number): Gate {
  let pausedUntil = 0;
  let outageUntil = 0;
  let faults = 0;
  let inside = 0;
  const isOutage = () => faults >= outageFaults;
  const waitMs = () => Math.max(pausedUntil, outageUntil, isOutage() && inside > 0 ? Date.now() + 1_000 : 0) - Date.now();

  const check = () => {
    const ms = waitMs();
    if (ms <= 0) return;
    const options = { retryable: true, deferMs: ms + Math.random() * 1_000 };
    if (isOutage()) throw new ProviderError('PROVIDER_ERROR', `${provider} failed ${faults} times in a row; it is asked again in ${seconds(ms)}`, options);
    throw new ProviderError('PROVIDER_RATE_LIMITED', `${provider} asked for a pause; it is asked again in ${seconds(ms)}`, options);
  };
  return {
    check,
    async pass(patientUntil, signal) {
      for (let ms = waitMs(); ms > 0; ms = waitMs()) {
        if (Date.now() + ms > patientUntil) check();
        await sleep(ms, undefined, { signal }).catch(() => signal.throwIfAborted());
      }
      inside++;
    },
    report(error) {
      inside--;
      const failure = error instanceof ProviderError ? error : null;
      if (failure?.retryAfterMs !== undefined) pausedUntil = Math.max(pausedUntil, Date.now() + failure.retryAfterMs);
      // A refusal is an answer: whoever refuses is not down. An abort of ours says nothing.
      if (error === null || (failure && answers.has(failure.code))) faults = 0;
      else if (failure?.retryable && ++faults >= outageFaults) outageUntil = Date.now() + Math.min(maxOutageMs, outageMs * 2 ** (faults - outageFaults));
    },
  };
}

const seconds = (ms: number) => `${Math.ceil(ms / 1_000)} s`;

async function send(account: Account, { url, method, headers, body, signal, timeoutMs, maxBytes = defaultMaxBytes }: Call): Promise<Answer> {
  const { provider } = account;
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    const response = await fetch(url, { method, headers, body, redirect: 'manual', signal: AbortSignal.any([signal, timeout]) });
    const text = await readText(response, provider, maxBytes);
    if (response.status < 200 || response.status > 299) throw failureOf(account, response, text);
    return { status: response.status, headers: Object.fromEntries(response.headers), text };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof ProviderError) throw error;
    const code = causeCode(error);
    if (timeout.aborted || code?.includes('TIMEOUT')) throw new ProviderError('PROVIDER_TIMEOUT', `Expected an answer of ${provider} within ${seconds(timeoutMs)} but received none`, { retryable: true, cause: error });
    throw new ProviderError('PROVIDER_ERROR', `The connection to ${provider} broke${code ? ` (${code})` : ''}`, { retryable: true, cause: error });
  }
}

async function readText(response: Response, provider: string, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let byteSize = 0;
  const reader = response.body?.getReader();
  for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) {
    byteSize += part.value.byteLength;
    if (byteSize > maxBytes) {
      await reader?.cancel();
      throw new ProviderError('PROVIDER_ERROR', `Expected an answer of ${provider} of at most ${maxBytes / 1e6} MB but received more`, { retryable: false });
    }
    chunks.push(part.value);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function failureOf({ provider, key, hint }: Account, { status, headers }: Response, text: string): ProviderError {
  // Some repeat the key that they refuse, and a failure is told to the viewer. One of a few letters is no key, but would be in every word.
  const { code, message } = explanation(key.length < 8 ? text : text.replaceAll(key, '…'));
  const told = message ? `: ${code && !/^\d+$/.test(code) ? `${code}, ` : ''}${message}` : '';
  const retryAfterMs = parseRetryAfter(headers.get('retry-after'), Date.now());
  if (status === 401 || status === 403) return new ProviderError('PROVIDER_AUTH', `${provider} refused our key (${status})${told}`, { retryable: false, hint, status });
  // An account without credit answers with the same status as a busy one, and no pause helps it.
  if (status === 429 && code === 'insufficient_quota') return new ProviderError('PROVIDER_AUTH', `${provider} refused our account (429)${told}`, { retryable: false, hint: 'Look after the plan and the credit of the account', status });
  if (status === 429) return new ProviderError('PROVIDER_RATE_LIMITED', `${provider} has had too many calls (429)${told}`, { retryable: true, retryAfterMs: retryAfterMs ?? defaultPauseMs, hint: 'Wait, or raise the limits of the account', status });
  if (status === 408) return new ProviderError('PROVIDER_TIMEOUT', `${provider} gave up on our request (408)${told}`, { retryable: true, status });
  if (status >= 500) return new ProviderError('PROVIDER_ERROR', `${provider} failed (${status})${told}`, { retryable: true, retryAfterMs, status });
  if (status >= 400) return new ProviderError('PROVIDER_REFUSED', `${provider} refused the request (${status})${told}`, { retryable: false, status });
  return new ProviderError('PROVIDER_ERROR', `Expected an answer of ${provider} but received a redirect (${status})`, { retryable: false, hint, status });
}

const name = z.union([z.string(), z.number()]).nullish().transform((code) => (code == null ? undefined : String(code)));
const said = z.object({ code: name, message: z.string() });
/** FastAPI and those who took after it: a sentence, ElevenLabs' pair of code and sentence, or a list of what is wrong with which part of the request. */
const detail = z.union([z.string().transform((message) => ({ code: undefined, message })), z.object({ status: name, message: z.string() }).transform(({ status: code, message }) => ({ code, message })), z.array(z.object({ type: name, msg: z.string() })).min(1).transform(([first]) => ({ code: first!.type, message: first!.msg }))]);
const errorBody = z.union([
  z.object({ error: said.extend({ innererror: said.optional() }) }).transform(({ error }) => error.innererror ?? error),
  z.object({ error: z.string() }).transform(({ error }) => ({ code: undefined, message: error })),
  z.object({ detail }).transform((body) => body.detail),
  // Before `detail`, which takes an object without a code as well.
  said.refine(({ code }) => code !== undefined),
  detail,
]);

/** What the provider says about its refusal, if it says it as vendors do; a page of HTML is not for a person to read. */
function explanation(text: string): { code?: string | undefined; message?: string } {
  try {
    const { code, message } = errorBody.parse(JSON.parse(text));
    return { code, message: message.slice(0, 300) };
  } catch {
    return {};
  }
}

/** RFC 9110 §10.2.3: seconds or a date. Between a second and ten minutes; `undefined` for anything else. */
export function parseRetryAfter(value: string | null, now: number): number | undefined {
  if (value === null) return undefined;
  const ms = /^\d+$/.test(value.trim()) ? Number(value) * 1_000 : Date.parse(value) - now;
  return Number.isNaN(ms) ? undefined : Math.min(maxPauseMs, Math.max(minPauseMs, ms));
}

/** fetch wraps what happened: the code is on the error itself or on its cause. */
function causeCode(error: unknown): string | undefined {
  for (let at = error; at instanceof Error; at = at.cause) if ('code' in at && typeof at.code === 'string') return at.code;
  return undefined;
}
