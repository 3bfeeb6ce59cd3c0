import { randomUUID } from 'node:crypto';
import type { Viewer } from '../access/viewer.ts';
import type { App } from '../app.ts';
import type { Webhook } from '../database/generated/client.ts';
import { isUniqueViolation } from '../database/faults.ts';
import { UserError } from '../errors.ts';
import { newSecret } from './sign.ts';

/** Ends of jobs that a webhook can listen to. */
export const webhookEvents = ['COMPLETED', 'FAILED', 'CANCELLED'] as const;
export type WebhookEvent = (typeof webhookEvents)[number];

export const maxWebhooks = 20;
const maxUrlLength = 2_000;

/** A webhook of the viewer for this URL; there is at most one. */
export async function createWebhook({ db, http }: App, viewer: Viewer, url: string, events: readonly WebhookEvent[]): Promise<Webhook> {
  mustBeReachable(http, url);
  const others = await db.webhook.findMany({ where: { ownerId: viewer.id }, select: { url: true } });
  if (others.some((other) => other.url === url)) throw taken();
  if (others.length >= maxWebhooks) throw new UserError('QUOTA_EXCEEDED', `Expected at most ${maxWebhooks} webhooks of one viewer but received one more`, { hint: 'Delete one that is not needed' });
  return db.webhook.create({ data: { id: randomUUID(), ownerId: viewer.id, url, secret: newSecret(), events: [...new Set(events)] } });
}

/** The webhook for a URL that a job names: the viewer's own for it, or one that is made now and listens to nothing else. */
export async function webhookFor(app: App, viewer: Viewer, url: string): Promise<string> {
  mustBeReachable(app.http, url);
  const find = () => app.db.webhook.findUnique({ where: { ownerId_url: { ownerId: viewer.id, url } }, select: { id: true } });
  const known = await find();
  if (known) return known.id;
  try {
    return (await createWebhook(app, viewer, url, [])).id;
  } catch (error) {
    // Two jobs that name a new URL at once: one of them made it.
    const made = await find();
    if (made) return made.id;
    throw error;
  }
}

export interface WebhookChange {
  url?: string | null;
  events?: readonly WebhookEvent[] | null;
  isPaused?: boolean | null;
}

/** Changes what is given. What a webhook had still to tell when it was paused is told when it goes on, with all its tries before it. */
export async function updateWebhook({ db, http }: App, viewer: Viewer, id: string, { url, events, isPaused }: WebhookChange): Promise<void> {
  if (url != null) mustBeReachable(http, url);
  const pause = isPaused === true ? { pausedAt: new Date(), pauseReason: 'The viewer paused it' } : isPaused === false ? { pausedAt: null, pauseReason: null } : {};
  const held = { webhookId: id, ownerId: viewer.id, status: 'PENDING', jobId: { not: null }, webhook: { pausedAt: { not: null } } };
  const change = db.$transaction(async (tx) => {
    if (isPaused === false) await tx.webhookDelivery.updateMany({ where: held, data: { attempts: 0, nextAttemptAt: new Date() } });
    return tx.webhook.updateMany({ where: { id, ownerId: viewer.id }, data: { ...(url != null && { url }), ...(events != null && { events: [...new Set(events)] }), ...pause } });
  });
  const { count } = await change.catch((error: unknown) => {
    throw isUniqueViolation(error) ? taken() : error;
  });
  // Where nothing is to be changed nothing is counted either.
  if (count === 0 && !(await db.webhook.findUnique({ where: { id, ownerId: viewer.id }, select: { id: true } }))) throw noWebhook();
}

export async function deleteWebhook({ db }: App, viewer: Viewer, id: string): Promise<void> {
  const { count } = await db.webhook.deleteMany({ where: { id, ownerId: viewer.id } });
  if (count === 0) throw noWebhook();
}

const taken = () => new UserError('INVALID_INPUT', 'Expected a URL without a webhook but one of yours has this URL', { hint: 'Change it with updateWebhook' });
export const noWebhook = () => new UserError('NOT_FOUND', 'There is no webhook with this id');

function mustBeReachable(http: App['http'], url: string): void {
  if (url.length > maxUrlLength) throw new UserError('INVALID_INPUT', `Expected a URL of at most ${maxUrlLength} characters for a webhook but received ${url.length}`);
  http.check(url);
}
