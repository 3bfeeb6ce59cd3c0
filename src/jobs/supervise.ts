import type { App } from '../app.ts';
import { HandedOver, ProviderError } from '../errors.ts';
import { cancelTopic } from './announce.ts';
import { timeoutsOf } from '../operations/index.ts';
import { within } from '../within.ts';
import { heartbeat, type ClaimedJob } from './transitions.ts';

/** Why an attempt was told to stop; null while nobody did. */
export type StopReason = 'CANCEL' | 'LEASE_LOST' | 'STOP' | 'TIMED_OUT' | 'DEADLINE';

export interface Supervision {
  /** Aborted for any `StopReason`; for a time-out or deadline its reason is the `ProviderError` that the job fails with. */
  signal: AbortSignal;
  /** Rejects when work has not ended after the hard time-out, or soon after an abort: the attempt is over, whatever still runs. */
  givenUp: Promise<never>;
  reason(): StopReason | null;
  leaseLost(): void;
  end(): Promise<void>;
}

/** Work that was told to stop gets this long to do so; then the job goes on without it. */
const abortGraceMs = 1_500;

/** A cancel from between the claim and the bell is heard this soon; shorter jobs need no heartbeat at all. */
const firstLookMs = 250;

/** Watches over one attempt: keeps the lease, hears cancel, enforces time-outs and the deadline. */
export function superviseJob({ sql, events, config, log }: App, job: ClaimedJob, stopping: AbortSignal): Supervision {
  const { softMs, hardMs } = timeoutsOf(job.operation, config);
  const controller = new AbortController();
  const timers: NodeJS.Timeout[] = [];
  let reason: StopReason | null = null;
  let giveUp: (error: unknown) => void;
  const givenUp = new Promise<never>((_, reject) => (giveUp = reject));
  givenUp.catch(() => undefined); // heard by runJob's race, or by nobody when the work ended first

  const stop = (why: StopReason, error: Error, graceMs = abortGraceMs) => {
    if (reason) return;
    reason = why;
    controller.abort(error);
    timers.push(setTimeout(() => giveUp(error), graceMs));
  };
  const minutes = (ms: number) => (ms >= 60_000 ? `${Math.round(ms / 6_000) / 10} min` : `${ms / 1000} s`);

  let beating = Promise.resolve();
  let lastBeat = performance.now();
  let untilDeadline: NodeJS.Timeout | undefined;
  const beat = () => {
    beating = beating.then(async () => {
      if (reason) return;
      try {
        // Without a bound a connection that went silent would let work go on long after its lease.
        const answer = await within(heartbeat(sql, job, config.JOB_LEASE), config.JOB_LEASE, () => new Error('The database did not answer for a whole lease'));
        lastBeat = performance.now();
        clearTimeout(untilDeadline);
        if (!answer) stop('LEASE_LOST', new HandedOver('The lease was lost'));
        else if (answer.cancelRequested) stop('CANCEL', new Error('Cancelled'));
        else if (answer.deadlineInMs === null) return;
        else if (answer.deadlineInMs > 0) untilDeadline = setTimeout(beat, answer.deadlineInMs);
        else stop('DEADLINE', new ProviderError('DEADLINE_EXCEEDED', 'The deadline of this job passed while it was running', { retryable: false, hint: 'Allow more time, or add workers' }));
      } catch (error) {
        // A database that is away for a moment costs nothing; one that is away for a whole lease costs the job.
        log.warn({ jobId: job.id, err: error }, 'A heartbeat failed');
        if (performance.now() - lastBeat >= config.JOB_LEASE) stop('LEASE_LOST', new HandedOver('The lease ran out without a heartbeat'));
      }
    });
  };
  const beats = setInterval(beat, config.JOB_LEASE / 4);
  const cancelBell = events.subscribe(cancelTopic, beat);
  cancelBell.catch((error: unknown) => log.warn({ jobId: job.id, err: error }, 'The cancel bell is down; a cancel is heard at the next heartbeat'));

  timers.push(
    setTimeout(beat, firstLookMs),
    setTimeout(() => {
      const hint = `Send a smaller input, or raise JOB_TIMEOUTS for ${job.operation}`;
      stop('TIMED_OUT', new ProviderError('TIMED_OUT', `The work took longer than ${minutes(softMs)}`, { retryable: false, hint }), hardMs - softMs);
    }, softMs),
  );
  const onStop = () => stop('STOP', new HandedOver('This process is stopping'));
  if (stopping.aborted) onStop();
  else stopping.addEventListener('abort', onStop, { once: true });

  return {
    signal: controller.signal,
    givenUp,
    reason: () => reason,
    leaseLost: () => stop('LEASE_LOST', new HandedOver('The lease was lost')),
    async end() {
      clearInterval(beats);
      timers.forEach(clearTimeout);
      stopping.removeEventListener('abort', onStop);
      reason ??= 'STOP';
      await beating;
      clearTimeout(untilDeadline);
      await cancelBell.then((unsubscribe) => unsubscribe()).catch(() => undefined);
    },
  };
}
