import { randomUUID } from 'node:crypto';
import type { Viewer } from '../access/viewer.ts';
import type { App } from '../app.ts';
import { UserError } from '../errors.ts';
import { tryOnce } from './deliver.ts';
import { noWebhook } from './webhook.ts';

/** Puts a delivery back to the start of its tries, whatever came of it before. */
export async function redeliver({ db }: App, viewer: Viewer, id: string): Promise<void> {
  const { count } = await db.webhookDelivery.updateMany({
    where: { id, ownerId: viewer.id, jobId: { not: null } },
    data: { status: 'PENDING', attempts: 0, nextAttemptAt: new Date(), deliveredAt: null, responseStatus: null, error: null },
  });
  if (count === 0) throw new UserError('NOT_FOUND', 'There is no delivery with this id that can be sent again', { hint: 'A ping is sent again with pingWebhook' });
}

/** Sends a ping now and gives the id of its delivery. */
export async function sendPing(app: App, viewer: Viewer, webhookId: string): Promise<string> {
  const webhook = await app.db.webhook.findUnique({ where: { id: webhookId, ownerId: viewer.id }, select: { id: true } });
  if (!webhook) throw noWebhook();
  // Born as tried and not due for an hour, so that no round of deliveries takes it.
  const ping = await app.db.webhookDelivery.create({
    data: { id: randomUUID(), webhookId, ownerId: viewer.id, event: 'PING', attempts: 1, nextAttemptAt: new Date(Date.now() + 3_600_000) },
  });
  await tryOnce(app, ping, new AbortController().signal);
  return ping.id;
}
