import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import sharp from 'sharp';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { deliverDue } from '../../src/webhooks/deliver.ts';
import { startTestApp, type TestApp } from '../app.ts';
import type { TestClient } from '../client.ts';
import { until } from '../until.ts';

interface Message {
  headers: Record<string, string>;
  body: string;
  path: string;
}

let darkroom: TestApp;
let client: TestClient;
let receiver: Server;
let url: string;
const received: Message[] = [];
/** What the receiver answers to the next messages of a path; then 204. */
const answers = new Map<string, number[]>();
/** The answers that /hangs owes. */
const hanging: (() => void)[] = [];

beforeAll(async () => {
  receiver = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => {
      const path = request.url ?? '';
      received.push({ path, headers: request.headers as Record<string, string>, body: Buffer.concat(chunks).toString() });
      const answer = () => response.writeHead(answers.get(path)?.shift() ?? 204).end();
      if (path === '/hangs') hanging.push(answer);
      else answer();
    });
  }).listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  const { port } = receiver.address() as AddressInfo;
  url = `http://127.0.0.1:${port}`;
  darkroom = await startTestApp({ OUTWARD_ALLOWED_HOSTS: `127.0.0.1:${port}` });
});
beforeEach(async () => {
  client = await darkroom.client();
});
afterAll(async () => {
  await darkroom.stop();
  receiver.close();
});

const create = async (path: string, events?: string[]) => (await client.get('mutation ($input: WebhookInput!) { createWebhook(input: $input) { id url secret events pausedAt } }', { input: { url: url + path, ...(events && { events }) } })).createWebhook;
const log = async (id: string) => (await client.get(`query ($id: ID!) { node(id: $id) { ... on Webhook { pausedAt pauseReason deliveries(first: 10) { totalCount nodes { id event status attempts responseStatus error nextAttemptAt job { id status } } } } } }`, { id })).node;
const messagesAt = (path: string) => received.filter((message) => message.path === path);
const picture = (name: string) => sharp({ create: { width: 80, height: 60, channels: 3, background: `#${name.padEnd(6, '0')}` } }).png().toBuffer();
const analyzed = async (name: string) => client.uploadAndAnalyze([{ name: `${name}.png`, bytes: await picture(name) }]);
/** What `look` gives, once it is good. */
async function untilGood<Seen>(what: string, look: () => Promise<Seen>, isGood: (seen: Seen) => boolean): Promise<Seen> {
  let seen: Seen;
  await until(what, async () => isGood((seen = await look())) || seen, 30_000);
  return seen!;
}
const rowIdOf = (id: string) => Buffer.from(id, 'base64').toString().split(':')[1]!;
const makeDue = () => darkroom.app.sql.$executeRaw`update webhook_delivery set next_attempt_at = now() where status = 'PENDING' and owner_id = ${client.viewer}`;

test('the end of a job is told, in a message that the library of Standard Webhooks verifies', async () => {
  const webhook = await create('/told', ['COMPLETED']);
  await analyzed('a1');
  await until('a message', () => messagesAt('/told').length > 0);
  const [message] = messagesAt('/told');
  const verified = new Webhook(webhook.secret).verify(message!.body, message!.headers);
  expect(verified).toMatchObject({ type: 'job.completed', data: { operation: 'ANALYZE', status: 'COMPLETED', failure: null } });
  expect(() => new Webhook(webhook.secret).verify(message!.body.replace('COMPLETED', 'FAILED'), message!.headers)).toThrow();
  const { deliveries: told } = await untilGood('the log', () => log(webhook.id), ({ deliveries }) => deliveries.nodes[0]?.status === 'DELIVERED');
  expect(told).toMatchObject({ totalCount: 1, nodes: [{ event: 'COMPLETED', attempts: 1, responseStatus: 204, error: null, nextAttemptAt: null, job: { status: 'COMPLETED' } }] });
  expect(message!.headers['webhook-id']).toBe(`msg_${rowIdOf(told.nodes[0].id)}`);
});

test('the examples in docs/webhooks.md have the fields of what is sent, in their order', async () => {
  const examples = [...(await readFile('docs/webhooks.md', 'utf8')).matchAll(/```json\n(.*?)```/gs)].map(([, text]) => JSON.parse(text!));
  const fieldsOf = (value: unknown): unknown => (value && typeof value === 'object' ? Object.entries(value).map(([name, part]) => [name, fieldsOf(part)]) : value === null ? null : typeof value);
  await create('/documented');
  const images = await analyzed('f7');
  await client.get('mutation ($ids: [ID!]!) { removeBackgrounds(imageIds: $ids) { jobs { id } } }', { ids: [...images.values()] });
  const messages = await untilGood('both messages', async () => messagesAt('/documented').map(({ body }) => JSON.parse(body)), ({ length }) => length === 2);
  messages.sort((one, other) => one.type.localeCompare(other.type)); // they may come in another order
  expect(messages.map(({ type }) => type)).toEqual(examples.map(({ type }) => type));
  expect(messages.map(fieldsOf)).toEqual(examples.map(fieldsOf));
});

test('a receiver that fails is tried again with the same id, also after a restart, until it takes the message', async () => {
  answers.set('/flaky', [500, 503]);
  const webhook = await create('/flaky', ['COMPLETED']);
  await analyzed('b2');
  await until('the first try', () => messagesAt('/flaky').length === 1);
  const waiting = await untilGood('a wait', async () => (await log(webhook.id)).deliveries.nodes[0], ({ responseStatus }) => responseStatus === 500);
  expect(waiting).toMatchObject({ status: 'PENDING', attempts: 1, error: 'Expected a status from 200 to 299 but received 500' });
  expect(Date.parse(waiting.nextAttemptAt)).toBeGreaterThan(Date.now() - 60_000);
  await darkroom.restart();
  client = await darkroom.client(client.viewer);
  for (const [tries, status] of [[2, 503], [3, 204]] as const) {
    await makeDue();
    // Until the answer is written down, to make the delivery due would be undone by its next wait.
    await untilGood(`try ${tries}`, async () => (await log(webhook.id)).deliveries.nodes[0], ({ responseStatus }) => responseStatus === status);
    expect(messagesAt('/flaky')).toHaveLength(tries);
  }
  expect((await log(webhook.id)).deliveries.nodes[0].status).toBe('DELIVERED');
  expect(new Set(messagesAt('/flaky').map(({ headers }) => headers['webhook-id'])).size).toBe(1);
});

test('a receiver that hangs holds up two of its own messages and nobody else', async () => {
  const webhook = await create('/hangs', []);
  await analyzed('f7');
  await darkroom.app.sql.$executeRaw`
    insert into webhook_delivery (webhook_id, owner_id, job_id, event) select ${rowIdOf(webhook.id)}::uuid, owner_id, id, 'COMPLETED' from job, generate_series(1, 150)
    where owner_id = ${client.viewer}`;
  await until('the first two', () => hanging.length === 2);
  client = await darkroom.client();
  await create('/quick');
  await analyzed('f8');
  await until('a message', () => messagesAt('/quick').length === 1, 5_000);
  expect(hanging).toHaveLength(2);
  hanging.forEach((answer) => answer());
  await until('the next two', () => hanging.length === 4);
  await darkroom.app.db.webhookDelivery.deleteMany({ where: { webhookId: rowIdOf(webhook.id) } });
  hanging.slice(2).forEach((answer) => answer());
});

test('what a paused webhook had still to tell is told at once when it goes on', async () => {
  answers.set('/resumed', [500]);
  const webhook = await create('/resumed', ['COMPLETED']);
  await analyzed('f9');
  await untilGood('a wait', async () => (await log(webhook.id)).deliveries.nodes[0], ({ responseStatus }) => responseStatus === 500);
  const pause = (isPaused: boolean) => client.get('mutation ($id: ID!, $input: WebhookUpdate!) { updateWebhook(id: $id, input: $input) { pausedAt } }', { id: webhook.id, input: { isPaused } });
  await pause(true);
  await darkroom.app.sql.$executeRaw`update webhook_delivery set next_attempt_at = now() + interval '8 hours', attempts = 8 where webhook_id = ${rowIdOf(webhook.id)}::uuid`;
  await pause(false);
  expect(await untilGood('the delivery', async () => (await log(webhook.id)).deliveries.nodes[0], ({ status }) => status === 'DELIVERED')).toMatchObject({ attempts: 1 });
});

test('after a day of failures the webhook is paused and says why; it goes on when it is told to, and a delivery is sent again on request', async () => {
  answers.set('/down', Array<number>(9).fill(500));
  const webhook = await create('/down', ['COMPLETED']);
  await analyzed('c3');
  const tryNow = () => makeDue().then(() => deliverDue(darkroom.app, new AbortController().signal));
  const paused = await untilGood('the pause', () => tryNow().then(() => log(webhook.id)), ({ pausedAt }) => pausedAt !== null);
  expect(paused.pauseReason).toMatch(/for a day.*received 500/);
  expect(paused.deliveries.nodes).toMatchObject([{ status: 'FAILED', attempts: 9 }]);
  await analyzed('c4');
  expect((await log(webhook.id)).deliveries.totalCount).toBe(1);

  await client.get('mutation ($id: ID!, $input: WebhookUpdate!) { updateWebhook(id: $id, input: $input) { id } }', { id: webhook.id, input: { isPaused: false } });
  await client.get('mutation ($id: ID!) { redeliverWebhook(deliveryId: $id) { status attempts } }', { id: paused.deliveries.nodes[0].id });
  await until('the delivery', async () => (await log(webhook.id)).deliveries.nodes[0].status === 'DELIVERED');
});

test('a receiver that says it is gone is paused at once', async () => {
  answers.set('/gone', [410]);
  const webhook = await create('/gone', ['COMPLETED']);
  await analyzed('d5');
  const paused = await untilGood('the pause', () => log(webhook.id), ({ pausedAt }) => pausedAt !== null);
  expect(paused).toMatchObject({ pauseReason: 'The receiver answered 410 Gone', deliveries: { nodes: [{ status: 'FAILED', attempts: 1 }] } });
});

test('a ping says at once what came of it; a job may name a URL of its own', async () => {
  answers.set('/ping', [418]);
  const webhook = await create('/ping', []);
  const ping = async () => (await client.get('mutation ($id: ID!) { pingWebhook(id: $id) { event status responseStatus error job { id } } }', { id: webhook.id })).pingWebhook;
  expect(await ping()).toEqual({ event: null, status: 'FAILED', responseStatus: 418, error: 'Expected a status from 200 to 299 but received 418', job: null });
  expect(await ping()).toMatchObject({ status: 'DELIVERED', responseStatus: 204 });

  const images = await analyzed('e6');
  await client.get('mutation ($ids: [ID!]!, $options: JobOptions) { analyzeImages(imageIds: $ids, options: $options) { jobs { id } } }', { ids: [...images.values()], options: { webhookUrl: `${url}/own`, useCache: false } });
  await until('a message', () => messagesAt('/own').length === 1);
  const { webhooks } = await client.get('{ webhooks { url events secret } }');
  expect(webhooks).toMatchObject([{ url: `${url}/ping` }, { url: `${url}/own`, events: [] }]);
  expect(messagesAt('/ping')).toHaveLength(2);
});

test('a webhook of another viewer is none, and a private address is refused', async () => {
  const webhook = await create('/mine', []);
  client = await darkroom.client();
  expect(await log(webhook.id)).toBeNull();
  for (const mutation of ['deleteWebhook(id: $id)', 'pingWebhook(id: $id) { id }', 'updateWebhook(id: $id, input: { isPaused: true }) { id }']) {
    expect((await client.ask(`mutation ($id: ID!) { ${mutation} }`, { id: webhook.id })).errors).toMatchObject([{ extensions: { code: 'NOT_FOUND' } }]);
  }
  for (const url of ['http://169.254.169.254/latest', 'http://localhost/x', 'http://app.LOCALHOST./x']) {
    const refused = await client.ask('mutation ($input: WebhookInput!) { createWebhook(input: $input) { id } }', { input: { url } });
    expect(refused.errors, url).toMatchObject([{ extensions: { code: 'URL_REFUSED', hint: expect.stringContaining('OUTWARD_ALLOWED_HOSTS') } }]);
  }
  const [id] = (await analyzed('e6')).values();
  const unfit = await client.ask('mutation ($id: ID!, $options: JobOptions) { removeBackground(imageId: $id, options: $options) { id } }', { id, options: { webhookUrl: 'http://example.org/a\0b' } });
  expect(unfit.errors).toMatchObject([{ extensions: { code: 'URL_REFUSED' } }]);
});
