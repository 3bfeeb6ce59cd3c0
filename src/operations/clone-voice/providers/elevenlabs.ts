import { randomUUID } from 'node:crypto';
import { openAsBlob } from 'node:fs';
import { z } from 'zod';
import type { Config } from '../../../config.ts';
import { HandedOver, ProviderError } from '../../../errors.ts';
import type { Account } from '../../../http/http.ts';
import type { InputFile, Provider, Run } from '../../define.ts';
import type { Parameters, Result } from '../parameters.ts';

const name = 'elevenlabs';
const needs = 'Set ELEVENLABS_API_KEY to a key of ElevenLabs (https://elevenlabs.io/app/settings/api-keys)';
/** Who has sent recordings must learn the id of the voice to remove it again: so long an answer may still come when the job is stopped. */
const lastAnswerMs = 10_000;
const undoTimeoutMs = 10_000;
/** Recordings get the time that they need on a slow line: 500 kB in a second. */
const leastBytesPerMs = 500;
const noteName = 'voice marker';

const added = z.object({ voice_id: z.string().regex(/^[\w-]{1,100}$/), requires_verification: z.boolean().nullish() });
const page = z.object({ voices: z.array(z.object({ voice_id: z.string(), description: z.string().nullish() })) });

/**
 * Instant voice cloning of ElevenLabs (https://elevenlabs.io/docs/api-reference/voices/ivc/create). A job has at most one voice there, and
 * none unless it completes: what an attempt made it removes when it cannot go on, and what a lost attempt left the next one removes. It is
 * not taken over, because an attempt that was only thought lost may still remove it. Every voice has a marker in its description to be found by.
 */
export const elevenlabs: Provider<Parameters, Result> = {
  name,
  version: '1',
  unavailable: ({ ELEVENLABS_API_KEY }: Config) => (ELEVENLABS_API_KEY ? null : needs),
  async run(run) {
    const api = connect(run);
    const earlier = run.remembered.get(noteName);
    const marker = earlier ?? randomUUID();
    if (earlier === undefined) await run.remember(noteName, marker);
    else for (const voiceId of await api.find(marker)) await api.remove(voiceId);

    let voiceId: string | null = null;
    const undo = async () => {
      for (const leftover of voiceId ? [voiceId] : await api.find(marker)) await api.remove(leftover);
    };
    try {
      run.progress(5, 'sending recordings');
      const voice = await api.add(marker);
      voiceId = voice.voice_id;
      run.signal.throwIfAborted();
      run.progress(80, 'setting it up');
      const settings = settingsOf(run.parameters);
      await api.edit(voiceId, settings);
      const { name: voiceName, description } = run.parameters;
      return { result: { voiceId, name: voiceName, description, settings, requiresVerification: voice.requires_verification ?? false }, undo };
    } catch (error) {
      // Where somebody takes over, he finds the marker.
      if (!(run.signal.reason instanceof HandedOver) && (voiceId || mayHaveMade(error))) await undo().catch((cause: unknown) => { throw leftBehind(error, marker, cause); });
      throw error;
    }
  },
};

function connect({ http, config, signal, parameters, inputs }: Run<Parameters>) {
  const account = accountOf(config);
  const base = config.ELEVENLABS_BASE_URL.replace(/\/+$/, '');
  const headers = { 'xi-api-key': account.key };
  const call = { method: 'POST', headers, signal, timeoutMs: config.PROVIDER_TIMEOUT };
  // Also when the job was stopped: then there is something to tidy up.
  const tidying = () => ({ headers, signal: AbortSignal.timeout(undoTimeoutMs), timeoutMs: undoTimeoutMs, patienceMs: undoTimeoutMs });

  return {
    async add(marker: string) {
      const body = await formOf(parameters, inputs, marker);
      const timeoutMs = config.PROVIDER_TIMEOUT + inputs.reduce((sum, { byteSize }) => sum + byteSize, 0) / leastBytesPerMs;
      return http.json(account, added, { ...call, url: `${base}/v1/voices/add`, body, signal: patient(signal), timeoutMs: Math.round(timeoutMs) });
    },
    async edit(voiceId: string, { stability, similarityBoost, style, useSpeakerBoost }: Result['settings']) {
      const body = { stability, similarity_boost: similarityBoost, style, use_speaker_boost: useSpeakerBoost };
      await http.json(account, z.object({ status: z.literal('ok') }), { ...call, url: `${base}/v1/voices/${voiceId}/settings/edit`, body });
    },
    async find(marker: string): Promise<string[]> {
      const { voices } = await http.json(account, page, { ...tidying(), method: 'GET', url: `${base}/v2/voices?search=${marker}&page_size=100` });
      return voices.filter(({ description }) => description?.includes(marker)).map((voice) => voice.voice_id);
    },
    async remove(voiceId: string): Promise<void> {
      await http.call(account, { ...tidying(), method: 'DELETE', url: `${base}/v1/voices/${encodeURIComponent(voiceId)}` });
    },
  };
}

/** Who refused has made nothing, and who was not asked neither. */
function mayHaveMade(error: unknown): boolean {
  if (!(error instanceof ProviderError)) return true;
  return error.deferMs === undefined && (error.status === undefined || error.status >= 500 || error.status === 408);
}

/** Files are read from disk while they are sent. Their names stay here: they may say who speaks. */
async function formOf({ name: voiceName, description, labels, removeBackgroundNoise }: Parameters, inputs: InputFile[], marker: string): Promise<FormData> {
  const form = new FormData();
  form.set('name', voiceName);
  form.set('description', `${description}\n(darkroom ${marker})`.trim());
  form.set('remove_background_noise', String(removeBackgroundNoise));
  if (Object.keys(labels).length > 0) form.set('labels', JSON.stringify(labels));
  for (const [index, { path, contentType }] of inputs.entries()) {
    form.append('files', await openAsBlob(path, { type: contentType }), `recording-${index + 1}.${contentType.split('/')[1]}`);
  }
  return form;
}

/** Aborted some time after the signal, and at once where somebody takes over. */
function patient(signal: AbortSignal): AbortSignal {
  const controller = new AbortController();
  const abort = () => controller.abort(signal.reason);
  const onAbort = () => (signal.reason instanceof HandedOver ? abort() : setTimeout(abort, lastAnswerMs).unref());
  if (signal.aborted) abort();
  else signal.addEventListener('abort', onAbort, { once: true });
  return controller.signal;
}

const settingsOf = ({ stability, similarityBoost, style, useSpeakerBoost }: Parameters): Result['settings'] => ({ stability, similarityBoost, style, useSpeakerBoost });

/** Of a job that was stopped nobody hears any more. */
function leftBehind(error: unknown, marker: string, cause: unknown): unknown {
  if (!(error instanceof ProviderError)) return error;
  return new ProviderError(error.code, `${error.message}. A voice may have been left at ${name}`, { ...error, cause, hint: `Look there for a voice with "darkroom ${marker}" in its description, and delete it` });
}

function accountOf({ ELEVENLABS_API_KEY: key }: Config): Account {
  if (!key) throw new ProviderError('PROVIDER_AUTH', `${name} is not set up on this server any more`, { retryable: false, hint: needs });
  return { provider: name, key, hint: 'Check ELEVENLABS_API_KEY, and whether the plan of the account allows voice cloning and has voices and credits left (https://elevenlabs.io/app/subscription)' };
}
