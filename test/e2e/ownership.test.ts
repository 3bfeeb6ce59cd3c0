import { randomBytes, randomUUID } from 'node:crypto';
import { getNamedType, isObjectType } from 'graphql';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { z } from 'zod';
import type { audioDetails, model3dDetails } from '../../src/assets/details.ts';
import { drawSample } from '../../src/compute/draw.ts';
import { schema } from '../../src/graphql/schema.ts';
import { newSecret } from '../../src/webhooks/sign.ts';
import { startTestApp, type TestApp } from '../app.ts';
import type { TestClient } from '../client.ts';
import { argumentsFor, documentFor, placesOf, type Place } from '../fixtures/id-places.ts';
import { createJob } from '../fixtures/job-rows.ts';
import { until } from '../until.ts';

/**
 * Whatever the graph lets a client name, somebody else's answers as if it did not exist. The places are read from the schema: a new
 * field is asked as soon as it is there, and where nobody has said how to make what it names the test fails with its name.
 */
const isEmbedded = inject('settings').REDIS_URL === undefined && inject('postgresUrl') === null;
describe.skipIf(!isEmbedded)('ownership', () => {
  let darkroom: TestApp;
  let owner: TestClient;
  let stranger: TestClient;
  beforeAll(async () => {
    darkroom = await startTestApp({ LIMIT_QUERY_COST: 'none', LIMIT_COST: 'none', LIMIT_REQUESTS: 'none' });
    [owner, stranger] = [await darkroom.client(), await darkroom.client()];
  });
  afterAll(() => darkroom.stop());

  const globalId = (kind: string, id: string) => Buffer.from(`${kind}:${id}`).toString('base64');
  const asset = (kind: 'IMAGE' | 'MODEL_3D' | 'AUDIO', more: object) => async (ownerId: string) => {
    const id = randomUUID();
    await darkroom.app.db.asset.create({ data: { id, ownerId, kind, filename: 'hidden', contentType: 'x/y', byteSize: 1, sha256: randomBytes(32).toString('hex'), storageKey: `originals/${id}`, ...more } });
    return id;
  };
  const image = asset('IMAGE', { width: 64, height: 64, format: 'JPEG', contentType: 'image/jpeg' });
  const later = () => new Date(Date.now() + 3_600_000);
  /** How to make one of each kind that ids name, as a row of its own. */
  const makers: Record<string, (ownerId: string) => Promise<string>> = {
    // With a job that waits and one that failed, so that whoever asks for the jobs of it is told something.
    Image: async (ownerId) => {
      const id = await image(ownerId);
      const ended = { status: 'FAILED', finishedAt: new Date(), failureCode: 'CORRUPT', failureMessage: 'hidden' } as const;
      for (const more of [{ runAfter: later() }, ended]) await createJob(darkroom.app.db, { ownerId, ...more, inputs: { create: { position: 0, assetId: id } } });
      return id;
    },
    Model3D: asset('MODEL_3D', { details: { format: 'GLB', shape: 'RELIEF', vertexCount: 3, faceCount: 1, thumbnailId: null } satisfies z.infer<typeof model3dDetails> }),
    AudioClip: asset('AUDIO', { details: { format: 'WAV', codec: 'PCM', durationSeconds: 1, sampleRate: 8_000, channels: 1 } satisfies z.infer<typeof audioDetails> }),
    Job: async (ownerId) => (await createJob(darkroom.app.db, { ownerId, runAfter: later(), inputs: { create: { position: 0, assetId: await image(ownerId) } } })).id,
    ApiKey: async (ownerId) => (await darkroom.app.db.apiKey.create({ data: { id: randomBytes(8).toString('hex'), ownerId, name: 'hidden', scopes: ['jobs:read'], secretHash: '0'.repeat(64) } })).id,
    Upload: async (ownerId) => (await darkroom.app.db.upload.create({ data: { id: randomUUID(), ownerId, filename: 'hidden', byteSize: 1, expiresAt: later() } })).id,
    // A private address: a ping is refused before it leaves.
    Webhook: async (ownerId) => (await darkroom.app.db.webhook.create({ data: { id: randomUUID(), ownerId, url: `http://127.0.0.1/${randomUUID()}`, secret: newSecret(), events: [], deliveries: { create: { ownerId, event: 'PING', nextAttemptAt: later() } } } })).id,
    WebhookDelivery: async (ownerId) => {
      const { id: jobId } = await createJob(darkroom.app.db, { ownerId, runAfter: later() });
      return (await darkroom.app.db.webhookDelivery.create({ data: { ownerId, webhookId: await make('Webhook', ownerId), jobId, event: 'COMPLETED', nextAttemptAt: later() } })).id;
    },
  };
  const nowhere: Record<string, () => string> = { ApiKey: () => randomBytes(8).toString('hex') };
  const tables: Record<string, 'asset' | 'job' | 'apiKey' | 'upload' | 'webhook' | 'webhookDelivery'> = { Image: 'asset', Model3D: 'asset', AudioClip: 'asset', Job: 'job', ApiKey: 'apiKey', Upload: 'upload', Webhook: 'webhook', WebhookDelivery: 'webhookDelivery' };
  const rowOf = async (kind: string, id: string) => JSON.stringify(await (darkroom.app.db[tables[kind]!] as typeof darkroom.app.db.asset).findUnique({ where: { id } }), (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value));

  const nodeKinds = Object.values(schema.getTypeMap()).filter((type) => isObjectType(type) && type.getInterfaces().some(({ name }) => name === 'Node')).map(({ name }) => name);
  /** Of places whose schema does not say what fits: what fits. */
  const kindsOf: Record<string, string[]> = { 'Query.node(id)': nodeKinds, 'Query.nodes(ids)': nodeKinds, 'Mutation.completeUploads(uploadIds)': ['Upload'] };
  /** Arguments that no rule can guess. */
  const known: Record<string, object> = {};

  async function make(kind: string, ownerId: string): Promise<string> {
    const maker = makers[kind];
    if (!maker) throw new Error(`Expected a recipe in \`makers\` for a ${kind}, whose ids the graph takes`);
    return maker(ownerId);
  }
  const own = new Map<string, string>();
  /** A thing of the asker's own, where a question needs one besides. */
  async function ownOf(client: TestClient, kind: string): Promise<string> {
    const key = `${client.viewer} ${kind}`;
    if (!own.has(key)) own.set(key, globalId(kind, await make(kind, client.viewer)));
    return own.get(key)!;
  }

  interface Question {
    document: string;
    variables: Record<string, unknown>;
  }
  async function questionOf(client: TestClient, place: Place, value: string, through?: string): Promise<Question> {
    const images = await ownOf(client, 'Image');
    const given = { ...argumentsFor(place, value, () => images), ...known[place.name] };
    const isRoot = ['Query', 'Mutation', 'Subscription'].includes(place.parent);
    if (!isRoot && !nodeKinds.includes(place.parent) && place.parent !== 'Asset') throw new Error(`Expected a way to reach ${place.name}: ${place.parent} is no Node`);
    return { document: documentFor(place, given), variables: { ...given, ...(!isRoot && { self: through ?? (await ownOf(client, place.parent === 'Asset' ? 'Image' : place.parent)) }) } };
  }

  /** What a client is told, without what names the thing asked for. `patience` ends a subscription that says nothing. */
  async function answer(client: TestClient, place: Place, value: string, { patience, through }: { patience?: Promise<unknown>; through?: string } = {}): Promise<string> {
    const { document, variables } = await questionOf(client, place, value, through);
    const raw = Buffer.from(value, 'base64').toString().split(':')[1] ?? value;
    const clean = (told: unknown) => JSON.stringify(told).replaceAll(value, '<asked>').replaceAll(raw, '<asked>');
    if (place.parent !== 'Subscription') {
      const { status, data, errors } = await client.ask(document, variables);
      return clean({ status, data, errors: errors?.map(({ message, path, extensions: { code, hint } }) => ({ message, path, code, hint })) });
    }
    const events = client.subscribe(document, variables);
    const first = events.next().then(({ value: event, done }) => clean(done ? 'the end' : event), (error: { message: string; extensions: unknown }) => clean({ message: error.message, extensions: error.extensions }));
    return Promise.race([first, ...(patience ? [patience.then(() => 'nothing')] : [])]).finally(() => void events.return());
  }
  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

  const places = placesOf(schema);
  const named = places.filter(({ isCursor }) => !isCursor);

  test('the places are found: of roots, of types, inside inputs', () => {
    expect(places.map(({ name }) => name)).toEqual(expect.arrayContaining([
      'Query.node(id)', 'Query.similarImages(to.imageId)', 'Mutation.removeBackground(input.backgroundImageId)', 'Subscription.jobEvents(jobIds)', 'Image.jobs(filter.imageId)', 'Query.images(after)', 'Subscription.jobEvents(after)',
    ]));
  });

  test.each(named.map((place) => [place.name, place] as const))('%s', async (name, place) => {
    const kinds = place.kinds ?? kindsOf[name];
    if (!kinds) throw new Error(`Expected a recipe in \`kindsOf\` for ${name}: which ids does it take?`);
    for (const kind of kinds) {
      const id = await make(kind, owner.viewer);
      const before = await rowOf(kind, id);
      const missing = globalId(kind, (nowhere[kind] ?? randomUUID)());
      // The owner's answer comes second, for it may change the thing; only where it differs has the place really been asked.
      const short = () => (place.parent === 'Subscription' ? { patience: pause(300) } : {});
      const [hidden, none] = [await answer(stranger, place, globalId(kind, id), short()), await answer(stranger, place, missing, short())];
      expect(hidden, `${name} of a ${kind}`).toBe(none);
      expect(hidden).not.toMatch(/INTERNAL|hidden/);
      for (const wrong of ['no id', globalId(kind, 'no-row'), globalId('PageInfo', randomUUID()), globalId('Query', id)]) {
        expect(await answer(stranger, place, wrong, short()), `${name} of ${wrong}, as of a ${kind} that is not there`).toBe(none);
      }
      expect(await rowOf(kind, id), `${name} changed a ${kind}`).toBe(before);
      const theirs = await answer(owner, place, globalId(kind, id), { ...(place.parent === 'Subscription' && { patience: pause(20_000) }), ...(kind === place.parent && { through: globalId(kind, id) }) });
      const nobodys = await answer(owner, place, missing, short());
      expect(theirs, `${name} tells its owner the same as of a ${kind} that is not there, so it was not really asked: give it arguments in \`known\``).not.toBe(nobodys);
    }
  });

  test('a cursor of another viewer shows nothing of theirs, wherever one is taken', async () => {
    // Something of every kind, and two pictures each that look the same, so that every list has something in it.
    for (const client of [owner, stranger]) {
      for (const kind of nodeKinds) await make(kind, client.viewer);
      const files = await Promise.all([240, 220].map(async (width) => ({ name: `${client.viewer}-${width}.jpg`, bytes: await drawSample('red-car.jpg', { width }) })));
      const images = await client.uploadAndAnalyze(files);
      own.set(`${client.viewer} Image`, [...images.values()][0]!);
    }
    const cursors = places.filter(({ isCursor, name }) => isCursor && name !== 'Subscription.jobEvents(after)');
    expect(cursors.length).toBeGreaterThan(8);
    for (const place of cursors) {
      const fields = getNamedType(place.field.type);
      if (!isObjectType(fields) || !('pageInfo' in fields.getFields())) throw new Error(`Expected ${place.name} to give a connection, or a test of its own here`);
      const { document, variables } = await questionOf(owner, place, 'x');
      const argument = place.path.at(-1)!;
      const { data } = await owner.ask(document, { ...variables, [argument]: null });
      const page = (place.parent === 'Query' ? data : data?.node)?.[place.field.name];
      if (!page) throw new Error(`Expected ${place.name} to show its owner something`);
      const cursor = page.pageInfo[argument === 'after' ? 'startCursor' : 'endCursor'] as string;
      expect(cursor, `${place.name} has something to show its owner`).toEqual(expect.any(String));

      const asked = await questionOf(stranger, place, cursor);
      const told = JSON.stringify(await stranger.ask(asked.document, asked.variables));
      expect(told, place.name).not.toMatch(/INTERNAL/);
      expect(told, place.name).not.toContain(owner.viewer);
      for (const { id } of await darkroom.app.db.asset.findMany({ where: { ownerId: owner.viewer }, select: { id: true } })) expect(told, place.name).not.toContain(globalId('Image', id));
      for (const { id } of await darkroom.app.db.job.findMany({ where: { ownerId: owner.viewer }, select: { id: true } })) expect(told, place.name).not.toContain(globalId('Job', id));
    }

    const ended = async (client: TestClient) => (await client.get('{ jobs(filter: { status: [COMPLETED] }, first: 2) { nodes { id } } }')).jobs.nodes.map(({ id }: { id: string }) => id);
    const events = 'subscription ($after: Cursor, $ids: [ID!]) { jobEvents(after: $after, jobIds: $ids) { cursor jobId } }';
    const { value } = await owner.subscribe(events, { ids: await ended(owner) }).next();
    const ids = await ended(stranger);
    for await (const { jobEvents } of stranger.subscribe(events, { after: value.jobEvents.cursor, ids })) expect(ids).toContain(jobEvents.jobId);
  });

  test('a signed URL opens the file it was made for, and no other', async () => {
    const [theirs] = await darkroom.app.db.asset.findMany({ where: { ownerId: owner.viewer, format: 'JPEG', filename: { not: 'hidden' } } });
    const { node } = await stranger.get('query ($id: ID!) { node(id: $id) { ... on Image { id url { url } rendition(width: 20) { url } } } }', { id: await ownOf(stranger, 'Image') });
    const mine = Buffer.from(node.id, 'base64').toString().split(':')[1]!;
    for (const url of [node.url.url, node.rendition.url] as string[]) {
      expect((await fetch(url)).status).toBe(200);
      expect(url).toContain(mine);
      expect((await fetch(url.replace(mine, theirs!.id))).status).toBe(403);
    }
    await until('nothing left to run', async () => (await darkroom.app.db.job.count({ where: { status: 'PROCESSING' } })) === 0);
  });
});
