import { setTimeout as sleep } from 'node:timers/promises';
import { type FailureCode, ProviderError } from '../errors.ts';

/** So many faults in a row, from whichever job, are an outage: one call at a time asks whether it is over, each pause twice as long as the last. */
const outageFaults = 5;
const firstOutageMs = 5_000;
const maxOutageMs = 300_000;
const answers = new Set<FailureCode>(['PROVIDER_AUTH', 'PROVIDER_REFUSED', 'PROVIDER_RATE_LIMITED']);

export interface Gate {
  check(): void;
  /** Waits for an open gate, at most until `patientUntil`; then throws as `check` does. Everybody who passed must `report`. */
  pass(patientUntil: number, signal: AbortSignal): Promise<void>;
  report(error: unknown): void;
}

/** One per account: what one call learns of the provider all others heed. */
export function createGate(provider: string, outageMs = firstOutageMs): Gate {
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

export const seconds = (ms: number) => `${Math.ceil(ms / 1_000)} s`;
