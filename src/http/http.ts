import { EventSourceParserStream } from 'eventsource-parser/stream';
import { z } from 'zod';
import { ProviderError } from '../errors.ts';
import { createGate, type Gate, seconds } from './gate.ts';
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
  /** For the whole of it: connecting, sending, waiting and the last byte of the answer. Of a stream it is the longest silence. */
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
  /** Server-sent events whose data is such JSON, one by one until the provider closes the stream; each stream is given up where the loop over it is left. Rejects as `json` does. */
  events<Schema extends z.ZodType>(account: Account, schema: Schema, call: Call): AsyncIterable<z.infer<Schema>>;
}

const defaultMaxBytes = 10_000_000;
/** A provider that asks for a longer pause is asked again after this one all the same; one that asks for none gets a breath. */
const maxPauseMs = 600_000;
const minPauseMs = 1_000;
/** A 429 that does not say how long. */
const defaultPauseMs = 5_000;

export function createHttp({ outageMs, outward = createOutward(createGuard()) }: { outageMs?: number; outward?: Outward } = {}): Http {
  const gates = new Map<string, Gate>();
  const gateOf = ({ provider, key }: Account): Gate => {
    const name = `${provider} ${key}`;
    const gate = gates.get(name) ?? createGate(provider, outageMs);
    gates.set(name, gate);
    return gate;
  };
  /** Waits for an open gate and tells it how the work went; goes on after a pause that fits into the patience. */
  async function pass<Result>(account: Account, { patienceMs = 0, signal }: Call, work: () => Promise<Result>): Promise<Result> {
    const gate = gateOf(account);
    const patientUntil = Date.now() + patienceMs;
    for (;;) {
      await gate.pass(patientUntil, signal);
      try {
        const result = await work();
        gate.report(null);
        return result;
      } catch (error) {
        gate.report(error);
        const pauseMs = error instanceof ProviderError && error.code === 'PROVIDER_RATE_LIMITED' ? error.retryAfterMs : undefined;
        if (pauseMs === undefined || Date.now() + pauseMs > patientUntil) throw error;
      }
    }
  }

  const http: Http = {
    ...outward,
    checkGate: (account) => gateOf(account).check(),
    call: (account, call) => pass(account, call, () => send(account, call)),
    async json(account, schema, { body, ...call }) {
      const isJson = body !== undefined && !(body instanceof FormData);
      const headers = { accept: 'application/json', ...call.headers, ...(isJson && { 'content-type': 'application/json' }) };
      const { text } = await http.call(account, { ...call, headers, ...(body instanceof FormData && { body }), ...(isJson && { body: new TextEncoder().encode(JSON.stringify(body)) }) });
      return parseAs(account, schema, text);
    },
    async *events(account, schema, call) {
      const silence = new AbortController();
      let timer: NodeJS.Timeout | undefined;
      const heard = () => {
        clearTimeout(timer);
        timer = setTimeout(() => silence.abort(), call.timeoutMs);
      };
      // Nobody is to be heard during a pause before a try.
      const open = async () => {
        heard();
        try {
          return await exchange(account, call, silence.signal, (limit) => openEvents(account, call, limit, heard));
        } catch (error) {
          clearTimeout(timer);
          throw error;
        }
      };
      try {
        const stream = await pass(account, call, open);
        for (;;) {
          const { done, value } = await exchange(account, call, silence.signal, () => stream.read());
          if (done) return;
          heard();
          yield parseAs(account, schema, value.data);
        }
      } finally {
        clearTimeout(timer);
        silence.abort();
      }
    },
  };
  return http;
}

function parseAs<Schema extends z.ZodType>({ provider, hint }: Account, schema: Schema, text: string): z.infer<Schema> {
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    throw new ProviderError('PROVIDER_ERROR', `Expected an answer of ${provider} as its documentation says but received something else`, { retryable: true, hint, cause });
  }
}

function send(account: Account, call: Call): Promise<Answer> {
  const timeout = AbortSignal.timeout(call.timeoutMs);
  return exchange(account, call, timeout, async (limit) => {
    const { response, text } = await ask(account, call, limit);
    return { status: response.status, headers: Object.fromEntries(response.headers), text: await text() };
  });
}

/** The events of a good answer; `heard` is called for the comments by which a provider shows that it is still there. */
async function openEvents(account: Account, call: Call, limit: AbortSignal, heard: () => void) {
  const { response } = await ask(account, { ...call, headers: { accept: 'text/event-stream', ...call.headers } }, limit);
  if (!response.headers.get('content-type')?.startsWith('text/event-stream') || !response.body) {
    throw new ProviderError('PROVIDER_ERROR', `Expected a stream of events of ${account.provider} but received something else`, { retryable: true, hint: account.hint });
  }
  return response.body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream({ onComment: heard, maxBufferSize: call.maxBytes ?? defaultMaxBytes })).getReader();
}

/** A good answer whose body is still to come, or what a bad one says. */
async function ask(account: Account, { url, method, headers, body, maxBytes = defaultMaxBytes }: Call, signal: AbortSignal) {
  const response = await fetch(url, { method, headers, body, redirect: 'manual', signal });
  const text = () => readText(response, account.provider, maxBytes);
  if (response.status < 200 || response.status > 299) throw failureOf(account, response, await text());
  return { response, text };
}

/** Puts what the network throws into a sentence. `timeout` is the limit that ends with `timeoutMs`. */
async function exchange<Result>({ provider }: Account, { signal, timeoutMs }: Call, timeout: AbortSignal, work: (limit: AbortSignal) => Promise<Result>): Promise<Result> {
  try {
    return await work(AbortSignal.any([signal, timeout]));
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
