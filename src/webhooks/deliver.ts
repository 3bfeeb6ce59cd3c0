import { setTimeout as sleep } from 'node:timers/promises';
import type { App } from '../app.ts';
import { UserError } from '../errors.ts';
import { messageOf } from './message.ts';
import { signedHeaders } from './sign.ts';

const [second, minute, hour] = [1_000, 60_000, 3_600_000];
/** Waits before the second try, the third and so on, each up to a tenth longer; together a day. */
const waitsMs = [5 * second, minute, 5 * minute, 30 * minute, 2 * hour, 5 * hour, 8 * hour, 8 * hour];
export const maxAttempts = waitsMs.length + 1;
const answerMs = 15_000;
/** A process that dies while it sends leaves the delivery to others after this. */
const leaseMs = 60_000;
const atOnce = 100;
/** So that a receiver that hangs holds up nobody else's messages. */
const atOnceOfWebhook = 2;
const lookAgainMs = 1_000;
const gone = 410;
const keptDays = 30;

interface Claimed {
  id: string;
  webhookId: string;
  jobId: string | null;
  event: string;
  attempts: number;
  createdAt: Date;
}

/** Sends what is due until nothing is; each that ends makes room for the next. Safe in any number of processes at once; a message may come twice, with the same id. */
export async function deliverDue(app: App, signal: AbortSignal): Promise<void> {
  const sending = new Map<Promise<void>, string>();
  try {
    do {
      for (const delivery of signal.aborted ? [] : await claimDue(app, [...sending.values()])) {
        const sent = tryOnce(app, delivery, signal)
          .catch((error: unknown) => app.log.error({ err: error, deliveryId: delivery.id }, 'A delivery failed; it is tried again when its lease ends'))
          .finally(() => sending.delete(sent));
        sending.set(sent, delivery.webhookId);
      }
      const looksAgain = new AbortController();
      if (sending.size > 0) await Promise.race([...sending.keys(), sleep(lookAgainMs, undefined, { signal: looksAgain.signal }).catch(() => undefined)]);
      looksAgain.abort();
    } while (sending.size > 0);
  } finally {
    await Promise.all(sending.keys());
  }
}

/** Takes deliveries that are due, of each webhook in turn, while `busy` names the webhook of each that is being sent. */
async function claimDue({ sql }: App, busy: string[]): Promise<Claimed[]> {
  if (busy.length >= atOnce) return [];
  return sql.$queryRaw<Claimed[]>`
    with busy as (select webhook_id, count(*) as sending from unnest(${busy}::uuid[]) as being_sent(webhook_id) group by webhook_id),
    due as (
      select mine.id, mine.next_attempt_at, coalesce(sending, 0) + row_number() over (partition by webhook.id order by mine.next_attempt_at) as place
      from webhook left join busy on busy.webhook_id = webhook.id
      cross join lateral (
        select id, next_attempt_at from webhook_delivery where webhook_id = webhook.id and status = 'PENDING' and next_attempt_at <= now()
        order by next_attempt_at limit ${atOnceOfWebhook}) mine
      where paused_at is null)
    update webhook_delivery set attempts = attempts + 1, next_attempt_at = now() + ${leaseMs} * interval '1 ms'
    where id in (select id from due where place <= ${atOnceOfWebhook} order by place, next_attempt_at limit ${atOnce - busy.length})
      and status = 'PENDING' and next_attempt_at <= now()
    returning id, webhook_id as "webhookId", job_id as "jobId", event, attempts, created_at as "createdAt"`;
}

/** One try: sends the message and writes down what came of it. A ping is tried once, and its failure pauses nothing. */
export async function tryOnce(app: App, delivery: Claimed, signal: AbortSignal): Promise<void> {
  const webhook = await app.db.webhook.findUnique({ where: { id: delivery.webhookId } });
  if (!webhook) return; // deleted meanwhile, and its deliveries with it
  const body = await messageOf(app, delivery);
  const headers = { 'Content-Type': 'application/json', ...signedHeaders(webhook.secret, `msg_${delivery.id}`, body) };
  let status: number | null = null;
  let error: string;
  try {
    ({ status } = await app.http.post(webhook.url, { headers, body, timeoutMs: answerMs, signal }));
    if (status >= 200 && status < 300) return await settle(app, delivery, { status: 'DELIVERED', responseStatus: status });
    error = `Expected a status from 200 to 299 but received ${status}`;
  } catch (fault) {
    // A stop is no fault of the receiver: the lease ends, and another process tries.
    if (signal.aborted) return;
    if (!(fault instanceof UserError)) throw fault;
    error = fault.message;
  }
  const isPing = delivery.jobId === null;
  const waitMs = status === gone || isPing ? undefined : waitsMs[delivery.attempts - 1];
  if (waitMs !== undefined) return settle(app, delivery, { status: 'PENDING', responseStatus: status, error, waitMs: waitMs * (1 + Math.random() * 0.1) });
  await settle(app, delivery, { status: 'FAILED', responseStatus: status, error });
  if (isPing) return;
  const reason = status === gone ? 'The receiver answered 410 Gone' : `A message could not be delivered for a day, the last time because: ${error}`;
  await app.db.webhook.updateMany({ where: { id: webhook.id, pausedAt: null }, data: { pausedAt: new Date(), pauseReason: reason } });
  app.log.warn({ webhookId: webhook.id, deliveryId: delivery.id, responseStatus: status }, 'A webhook is paused');
}

interface Outcome {
  status: 'PENDING' | 'DELIVERED' | 'FAILED';
  responseStatus: number | null;
  error?: string | null;
  waitMs?: number;
}

/** Fenced by the count of attempts: whoever came too late changes nothing. */
async function settle({ sql }: App, { id, attempts }: Claimed, { status, responseStatus, error = null, waitMs = 0 }: Outcome): Promise<void> {
  await sql.$executeRaw`
    update webhook_delivery set status = ${status}, response_status = ${responseStatus}::int, error = ${error},
      next_attempt_at = now() + ${Math.round(waitMs)} * interval '1 ms', delivered_at = case when ${status} = 'DELIVERED' then now() end
    where id = ${id}::uuid and attempts = ${attempts} and status = 'PENDING'`;
}

/** Delivers every `intervalMs` until stopped. A round that fails is logged and the next one tried. */
export function startDeliveries(app: App, intervalMs = 1_000): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const { signal } = stopping;
  const repeat = async (everyMs: number, work: () => Promise<unknown>) => {
    while (!signal.aborted) {
      await work().catch((error: unknown) => signal.aborted || app.log.error({ err: error }, 'Delivering webhooks failed; the next round tries again'));
      await sleep(everyMs, undefined, { signal }).catch(() => undefined);
    }
  };
  const tidy = () => app.sql.$executeRaw`delete from webhook_delivery where status <> 'PENDING' and created_at < now() - ${keptDays} * interval '1 day'`;
  const loops = [repeat(intervalMs, () => deliverDue(app, signal)), repeat(hour, tidy)];
  return {
    async stop() {
      stopping.abort();
      await Promise.all(loops);
    },
  };
}
