import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { Config } from '../config.ts';
import { type FailureCode, HandedOver, ProviderError } from '../errors.ts';
import type { Account } from '../http/http.ts';
import type { Run } from './define.ts';

const name = 'fal';
const needs = 'Set FAL_KEY to a key of fal (https://fal.ai/dashboard/keys)';

/** For `unavailable` of every provider that works with `runOnFal`. */
export const falUnavailable = ({ FAL_KEY }: Config): string | null => (FAL_KEY ? null : needs);

export interface FalCall {
  /** Which of the job's outputs it is for. Where an earlier attempt sent a request for it, that one is waited for: it is paid for. */
  part: number;
  /** The name of the endpoint, such as "fal-ai/flux/dev". */
  model: string;
  /** As the model's page documents it. Files go in as data URIs. */
  input: Record<string, unknown>;
  /** Hears whatever fal says that is new. */
  onStatus?(status: FalStatus): void;
}

export interface FalStatus {
  status: 'IN_QUEUE' | 'IN_PROGRESS' | 'COMPLETED';
  /** How many requests are before this one. */
  position: number | null;
}

const submitted = z.object({ request_id: z.string().regex(/^[\w-]{1,100}$/) });
const statusAnswer = z.object({ status: z.enum(['IN_QUEUE', 'IN_PROGRESS', 'COMPLETED']), queue_position: z.int().nullish() });

const firstPauseMs = 250;
const maxPauseMs = 5_000;
const cancelTimeoutMs = 5_000;
/** Once a request is paid for, a pause that fal asks for is waited for rather than throwing all away. */
const patienceMs = 60_000;
const modelFailures = new Set<FailureCode>(['PROVIDER_ERROR', 'PROVIDER_REFUSED']);

/**
 * Runs a model in fal's queue (https://fal.ai/docs/model-apis/model-endpoints/queue) and gives its answer, for the caller's schema to parse.
 * When the work is aborted for good the request is cancelled at fal; when the job only goes on elsewhere, the next attempt finds it.
 * One gap stays: a crash between fal's answer to the submission and the note of its id pays twice.
 */
export async function runOnFal(run: Run<unknown>, { part, model, input, onStatus }: FalCall): Promise<unknown> {
  const { http, config, signal, remembered } = run;
  const account = accountOf(config);
  const base = config.FAL_QUEUE_URL.replace(/\/+$/, '');
  const call = { method: 'GET', headers: { authorization: `Key ${account.key}` }, signal, timeoutMs: config.PROVIDER_TIMEOUT };
  // Requests belong to the first two parts of an endpoint's name. fal's answer names addresses too, but the key goes to none that came with an answer.
  const urlOf = (id: string, action = '') => `${base}/${model.split('/').slice(0, 2).join('/')}/requests/${id}${action}`;
  const note = `fal ${model} ${part}`;

  async function submit(): Promise<string> {
    const { request_id: id } = await http.json(account, submitted, { ...call, method: 'POST', url: `${base}/${model}`, body: input });
    try {
      await run.remember(note, id);
    } catch (error) {
      await cancel(id);
      throw error;
    }
    return id;
  }

  /** fal tells by itself what becomes of a request. A stream that is closed too early, as proxies do, is opened again. */
  async function untilCompleted(id: string): Promise<void> {
    let told = '';
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(maxPauseMs, pauseMs * 2)) {
      for await (const { status, queue_position: position = null } of http.events(account, statusAnswer, { ...call, url: urlOf(id, '/status/stream'), patienceMs })) {
        if (told !== (told = `${status} ${position}`)) onStatus?.({ status, position });
        if (status === 'COMPLETED') return;
      }
      await sleep(pauseMs, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
  }

  /** fal takes a request that waits out of its queue and asks one that runs to stop. Nobody is left to hear that it did not work. */
  async function cancel(id: string): Promise<void> {
    const last = { ...call, method: 'PUT', signal: AbortSignal.timeout(cancelTimeoutMs), patienceMs: cancelTimeoutMs };
    await http.call(account, { ...last, url: urlOf(id, '/cancel') }).catch(() => undefined);
  }

  async function fetchResult(id: string): Promise<unknown> {
    try {
      return await http.json(account, z.unknown(), { ...call, url: urlOf(id), patienceMs });
    } catch (error) {
      // The model's own failure comes as its result, each time it is asked for: another attempt needs another request.
      if (error instanceof ProviderError && error.status !== undefined && modelFailures.has(error.code)) await run.remember(note, null);
      throw error;
    }
  }

  async function finish(id: string): Promise<unknown> {
    try {
      await untilCompleted(id);
      return await fetchResult(id);
    } catch (error) {
      if (signal.aborted && !(signal.reason instanceof HandedOver)) await cancel(id);
      throw error;
    }
  }

  const earlier = remembered.get(note);
  if (earlier === undefined) return finish(await submit());
  return finish(earlier).catch(async (error: unknown) => {
    // fal keeps a request for a while only.
    if (error instanceof ProviderError && error.status === 404) return finish(await submit());
    throw error;
  });
}

function accountOf({ FAL_KEY: key }: Config): Account {
  if (!key) throw new ProviderError('PROVIDER_AUTH', `${name} is not set up on this server any more`, { retryable: false, hint: needs });
  return { provider: name, key, hint: 'Check FAL_KEY, and whether the account may use this model (https://fal.ai/dashboard)' };
}
