import { builder, rowId } from '../graphql/builder.ts';
import { defaultPageSize, maxPageSize } from '../keyset.ts';
import { Job } from '../jobs/types.ts';
import { maxAttempts } from './deliver.ts';
import { redeliver, sendPing } from './redeliver.ts';
import { createWebhook, deleteWebhook, maxWebhooks, updateWebhook, webhookEvents, type WebhookEvent } from './webhook.ts';

const scope = 'jobs:write' as const;

const WebhookEventEnum = builder.enumType('WebhookEvent', {
  description: 'The end of a job that a webhook is told of.',
  values: { COMPLETED: { description: 'Message type `job.completed`.' }, FAILED: { description: 'Message type `job.failed`.' }, CANCELLED: { description: 'Message type `job.cancelled`.' } } satisfies Record<WebhookEvent, object>,
});

const DeliveryStatus = builder.enumType('WebhookDeliveryStatus', {
  values: {
    PENDING: { description: 'Not tried yet, or tried in vain and to be tried again.' },
    DELIVERED: { description: 'The receiver answered with a status from 200 to 299.' },
    FAILED: { description: `The last of ${maxAttempts} tries within a day was in vain, or the receiver answered 410 Gone.` },
  } as const,
});

const WebhookDelivery = builder.prismaNode('WebhookDelivery', {
  scope,
  nullable: true,
  description: 'One message for a webhook. Its id is the header `webhook-id` behind `msg_`, the same at every try: a receiver that keeps it handles nothing twice.',
  id: { field: 'id' },
  findUnique: (id, { viewer }) => ({ id: rowId({ id }), ownerId: viewer.id }),
  fields: (t) => ({
    event: t.field({ type: WebhookEventEnum, nullable: true, description: 'Null for a ping.', select: { event: true }, resolve: ({ event }) => webhookEvents.find((known) => known === event) ?? null }),
    job: t.relation('job', { type: Job, nullable: true, description: 'Null for a ping.' }),
    status: t.field({ type: DeliveryStatus, select: { status: true }, resolve: ({ status }) => status as typeof DeliveryStatus.$inferType }),
    attempts: t.exposeInt('attempts', { description: 'Tries so far.' }),
    nextAttemptAt: t.field({ type: 'DateTime', nullable: true, description: 'Null where there will be none.', select: { status: true, nextAttemptAt: true }, resolve: ({ status, nextAttemptAt }) => (status === 'PENDING' ? nextAttemptAt : null) }),
    responseStatus: t.exposeInt('responseStatus', { nullable: true, description: 'The HTTP status of the last try; null where there was no answer.' }),
    error: t.exposeString('error', { nullable: true, description: 'Why the last try was in vain.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
    deliveredAt: t.expose('deliveredAt', { type: 'DateTime', nullable: true }),
  }),
});

const Webhook = builder.prismaNode('Webhook', {
  scope,
  nullable: true,
  description: 'A URL of the viewer that is told of the ends of jobs by signed POST requests (https://www.standardwebhooks.com). A receiver answers within 15 s; any status from 200 to 299 is a yes.',
  id: { field: 'id' },
  findUnique: (id, { viewer }) => ({ id: rowId({ id }), ownerId: viewer.id }),
  fields: (t) => ({
    url: t.expose('url', { type: 'URL' }),
    secret: t.exposeString('secret', { description: 'Verifies the header `webhook-signature`, as the libraries of Standard Webhooks take it.' }),
    events: t.field({ type: [WebhookEventEnum], description: 'Of all jobs. Empty: only jobs that name the URL are told of.', select: { events: true }, resolve: ({ events }) => events as WebhookEvent[] }),
    pausedAt: t.expose('pausedAt', { type: 'DateTime', nullable: true, description: 'Set while nothing is sent and no end of a job is recorded for it.' }),
    pauseReason: t.exposeString('pauseReason', { nullable: true, description: 'Who or what paused it.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
    deliveries: t.relatedConnection('deliveries', {
      description: 'The newest first; those that have ended are kept for 30 days.',
      cursor: 'id', defaultSize: defaultPageSize, maxSize: maxPageSize, totalCount: true,
      query: { orderBy: [{ createdAt: 'desc' }, { id: 'desc' }] },
    }),
  }),
});

builder.queryField('webhooks', (t) =>
  t.prismaField({
    type: [Webhook],
    scope,
    description: 'The viewer\'s webhooks, the oldest first.',
    resolve: (query, _root, _args, { app, viewer }) => app.db.webhook.findMany({ ...query, where: { ownerId: viewer.id }, orderBy: [{ createdAt: 'asc' }, { id: 'asc' }] }),
  }),
);

const WebhookInput = builder.inputType('WebhookInput', {
  fields: (t) => ({
    url: t.field({ type: 'URL', required: true, description: 'Where to send. Reachable from the internet, on port 80 or 443; see OUTWARD_ALLOWED_HOSTS for others.' }),
    events: t.field({ type: [WebhookEventEnum], defaultValue: [...webhookEvents], description: 'All ends without it.' }),
  }),
});

const WebhookUpdate = builder.inputType('WebhookUpdate', {
  description: 'What to change; what is left out stays.',
  fields: (t) => ({
    url: t.field({ type: 'URL' }),
    events: t.field({ type: [WebhookEventEnum] }),
    isPaused: t.boolean({ description: 'False lets a paused webhook go on: what it had still to tell is told now.' }),
  }),
});

builder.mutationFields((t) => ({
  createWebhook: t.prismaField({
    type: Webhook,
    scope,
    description: `Has a URL told of the ends of jobs. At most ${maxWebhooks}, one for a URL. Each message is a POST of \`{ type timestamp data { jobId operation status finishedAt failure { code message } outputs } }\` as JSON, where \`outputs\` counts the files that the job made; docs/webhooks.md has examples, and how to verify the signature.`,
    args: { input: t.arg({ type: WebhookInput, required: true }) },
    resolve: async (query, _root, { input }, { app, viewer }) => {
      const { id } = await createWebhook(app, viewer, input.url.href, input.events ?? webhookEvents);
      return app.db.webhook.findUniqueOrThrow({ ...query, where: { id, ownerId: viewer.id } });
    },
  }),
  updateWebhook: t.prismaField({
    type: Webhook,
    scope,
    description: 'Changes a webhook, pauses it or lets it go on.',
    args: { id: t.arg.globalID({ required: true, for: Webhook }), input: t.arg({ type: WebhookUpdate, required: true }) },
    resolve: async (query, _root, { id, input }, { app, viewer }) => {
      await updateWebhook(app, viewer, rowId(id), { ...input, url: input.url?.href });
      return app.db.webhook.findUniqueOrThrow({ ...query, where: { id: rowId(id), ownerId: viewer.id } });
    },
  }),
  deleteWebhook: t.boolean({
    scope,
    description: 'Deletes a webhook and its deliveries; what it had still to tell is not told.',
    args: { id: t.arg.globalID({ required: true, for: Webhook }) },
    resolve: async (_root, { id }, { app, viewer }) => {
      await deleteWebhook(app, viewer, rowId(id));
      return true;
    },
  }),
  pingWebhook: t.prismaField({
    type: WebhookDelivery,
    scope,
    description: 'Sends a message of the type `ping` at once, also to a paused webhook, and answers with what came of it. It is tried once.',
    args: { id: t.arg.globalID({ required: true, for: Webhook }) },
    resolve: async (query, _root, { id }, { app, viewer }) => {
      const deliveryId = await sendPing(app, viewer, rowId(id));
      return app.db.webhookDelivery.findUniqueOrThrow({ ...query, where: { id: deliveryId, ownerId: viewer.id } });
    },
  }),
  redeliverWebhook: t.prismaField({
    type: WebhookDelivery,
    scope,
    description: 'Sends a delivery again, with the same message id, and with all its tries before it.',
    args: { deliveryId: t.arg.globalID({ required: true, for: WebhookDelivery }) },
    resolve: async (query, _root, { deliveryId }, { app, viewer }) => {
      await redeliver(app, viewer, rowId(deliveryId));
      return app.db.webhookDelivery.findUniqueOrThrow({ ...query, where: { id: rowId(deliveryId), ownerId: viewer.id } });
    },
  }),
}));
