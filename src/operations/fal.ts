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
/** So many faults on the way to a request, with no news of it between them, are waited out: it is paid for, and fal goes on with it. */
const mostFaults = 3;
/** Once a request is paid for, a pause that fal asks for is waited for rather than throwing all away. */
const patienceMs = 60_000;
const modelFailures = new Set<FailureCode>(['PROVIDER_ERROR', 'PROVIDER_REFUSED']);

/**
 * Runs a model in fal's queue (https://fal.ai/docs/model-apis/model-endpoints/queue) and gives its answer, for the caller's schema to parse.
 * When the work is aborted for good the request is cancelled at fal; when the job only goes on elsewhere, the next attempt finds it.
 * One gap stays: a crash between fal's answer to the submission and the note of its id pays twice.
 */
export async function runOnFal(run: Run<unknown>, { part, model, input, onStatus }: FalCall): Promise<unknown> {
  const { http, signal, remembered } = run;
  const { account, base, call, urlOf, cancel } = queueOf(run, model);
  const note = noteOf(model, part);
  const told = new Set<string>();
  let faults = 0;

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

  /** fal tells by itself what becomes of a request. */
  async function isCompleted(id: string): Promise<boolean> {
    for await (const { status, queue_position: position = null } of http.events(account, statusAnswer, { ...call, url: urlOf(id, '/status/stream'), patienceMs })) {
      // A stream that is opened again may begin at the beginning.
      if (told.size < told.add(`${status} ${position}`).size) {
        faults = 0;
        onStatus?.({ status, position });
      }
      if (status === 'COMPLETED') return true;
    }
    return false;
  }

  /** A stream that is closed too early, as proxies do, is opened again; after a fault, too. */
  async function answerOf(id: string): Promise<unknown> {
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(maxPauseMs, pauseMs * 2)) {
      try {
        if (await isCompleted(id)) return await fetchResult(id);
      } catch (error) {
        // Without its note the request has failed and will not be another one.
        if (!isPassing(error) || !remembered.has(note) || ++faults > mostFaults) throw error;
      }
      await sleep(pauseMs, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
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
      return await answerOf(id);
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

/** Cancels what is left at fal of a part that the job ends without. */
export async function giveUpOnFal(run: Run<unknown>, { part, model }: Pick<FalCall, 'part' | 'model'>): Promise<void> {
  const id = run.remembered.get(noteOf(model, part));
  if (id !== undefined) await queueOf(run, model).cancel(id);
}

const noteOf = (model: string, part: number) => `fal ${model} ${part}`;

/** Neither an answer for good nor a closed gate, before which the whole job waits. */
const isPassing = (error: unknown) => error instanceof ProviderError && error.retryable && error.deferMs === undefined;

function queueOf({ http, config, signal }: Run<unknown>, model: string) {
  const account = accountOf(config);
  const base = config.FAL_QUEUE_URL.replace(/\/+$/, '');
  const call = { method: 'GET', headers: { authorization: `Key ${account.key}` }, signal, timeoutMs: config.PROVIDER_TIMEOUT };
  // Requests belong to the first two parts of an endpoint's name. fal's answer names addresses too, but the key goes to none that came with an answer.
  const urlOf = (id: string, action = '') => `${base}/${model.split('/').slice(0, 2).join('/')}/requests/${id}${action}`;

  /** fal takes a request that waits out of its queue and asks one that runs to stop. Nobody is left to hear that it did not work. */
  async function cancel(id: string): Promise<void> {
    const last = { ...call, method: 'PUT', signal: AbortSignal.timeout(cancelTimeoutMs), patienceMs: cancelTimeoutMs };
    await http.call(account, { ...last, url: urlOf(id, '/cancel') }).catch(() => undefined);
  }
  return { account, base, call, urlOf, cancel };
}

function accountOf({ FAL_KEY: key }: Config): Account {
  if (!key) throw new ProviderError('PROVIDER_AUTH', `${name} is not set up on this server any more`, { retryable: false, hint: needs });
  return { provider: name, key, hint: 'Check FAL_KEY, and whether the account may use this model (https://fal.ai/dashboard)' };
}
