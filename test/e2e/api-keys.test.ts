import crypto, { randomUUID } from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { drawSample } from '../../src/compute/draw.ts';
import { startTestApp, type TestApp } from '../app.ts';
import { createTestClient, type TestClient } from '../client.ts';
import { until } from '../until.ts';

const deskSecret = randomUUID() + randomUUID();
let darkroom: TestApp;
let admin: TestClient;
beforeAll(async () => {
  darkroom = await startTestApp({ API_KEYS: `desk:${deskSecret}:admin, ci:${randomUUID()}` });
  admin = createTestClient(darkroom.url, deskSecret, 'desk');
});
afterAll(() => darkroom.stop());

const globalId = (type: string, id: string) => Buffer.from(`${type}:${id}`).toString('base64');
const create = 'mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { secret apiKey { id name scopes expiresAt lastUsedAt } } }';
const revoke = 'mutation ($id: ID!) { revokeApiKey(id: $id) { id } }';
const list = '{ viewer { id kind role scopes apiKeys { id name scopes lastUsedAt } } }';

async function makeKey(owner: TestClient, input: object) {
  const { createApiKey } = await owner.get(create, { input: { name: 'a program', ...input } });
  return { ...createApiKey.apiKey, secret: createApiKey.secret as string, client: createTestClient(darkroom.url, createApiKey.secret, owner.viewer) } as { id: string; secret: string; client: TestClient; expiresAt: string | null };
}
const refusal = async (client: TestClient, query = '{ viewer { id } }', variables = {}) => {
  const { status, data, errors } = await client.ask(query, variables);
  return { status, data, code: errors?.[0]?.extensions.code, message: errors?.[0]?.message };
};

test('a key acts for its maker within its scopes; it is listed without its secret, and its use is told', async () => {
  const owner = await darkroom.client();
  const key = await makeKey(owner, { scopes: ['IMAGES_WRITE'] });
  expect(key.secret).toMatch(/^dr_[0-9a-f]{16}_[\w-]{32}$/);
  const upload = 'mutation ($files: [File!]!) { uploadImages(files: $files) { results { ... on UploadedImage { image { id } } } } }';
  const { data } = await key.client.send(upload, [{ name: 'a.jpg', bytes: await drawSample('red-car.jpg', { width: 120 }) }]);
  const { id } = data.uploadImages.results[0].image;
  expect(await owner.get('query ($id: ID!) { image(id: $id) { id } }', { id })).toEqual({ image: { id } });

  expect(await refusal(key.client, '{ images { totalCount } jobs { totalCount } }')).toEqual({
    status: 403, data: undefined, code: 'FORBIDDEN', message: 'Expected a credential that allows jobs:read but received one that allows images:write, images:read',
  });
  expect((await refusal(key.client, list)).code).toBe('FORBIDDEN');
  await expect(key.client.subscribe('subscription { jobs { id } }').next()).rejects.toMatchObject({ extensions: { code: 'FORBIDDEN' } });
  const { viewer } = await owner.get(list);
  expect(viewer).toMatchObject({ kind: 'USER', role: 'VIEWER', apiKeys: [{ id: key.id, name: 'a program', scopes: ['IMAGES_WRITE'], lastUsedAt: expect.any(String) }] });
  expect(JSON.stringify(await darkroom.app.db.apiKey.findMany())).not.toContain(key.secret.slice(-32));
  expect((await key.client.get('{ viewer { kind scopes } }')).viewer).toEqual({ kind: 'API_KEY', scopes: ['IMAGES_WRITE', 'IMAGES_READ'] });
});

test('a request that is refused for its scope has done nothing, and a scope is asked of every operation, not of the document', async () => {
  const owner = await darkroom.client();
  const { client } = await makeKey(owner, { scopes: ['IMAGES_WRITE'] });
  const both = await client.send('mutation ($files: [File!]!) { uploadImages(files: $files) { jobs { id } } }', [{ name: 'a.jpg', bytes: await drawSample('red-car.jpg', { width: 120 }) }]);
  expect([both.status, both.errors?.[0]?.extensions.code]).toEqual([403, 'FORBIDDEN']);
  expect((await owner.get('{ images { totalCount } }')).images.totalCount).toBe(0);
});

test('a key allows no more than its maker, lives no longer, and ends with it', async () => {
  const owner = await darkroom.client();
  expect(await refusal(owner, create, { input: { name: 'x', scopes: ['ADMIN'] } })).toMatchObject({ code: 'FORBIDDEN', message: expect.stringContaining('received admin') });
  const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
  const maker = await makeKey(owner, { scopes: ['KEYS_WRITE', 'JOBS_READ'], expiresAt });
  expect((await refusal(maker.client, create, { input: { name: 'x', scopes: ['JOBS_WRITE'] } })).code).toBe('FORBIDDEN');
  expect((await refusal(maker.client, create, { input: { name: 'x', scopes: ['JOBS_READ'], expiresAt: new Date(Date.now() + 7_200_000).toISOString() } })).code).toBe('FORBIDDEN');
  const made = await makeKey(maker.client, { scopes: ['JOBS_READ'] });
  expect(made.expiresAt).toBe(expiresAt);
  await made.client.get('{ jobs { totalCount } }');
  await owner.get(revoke, { id: maker.id });
  await until('the made key to be refused', async () => (await refusal(made.client)).code === 'UNAUTHENTICATED');
  expect((await owner.get(list)).viewer.apiKeys).toEqual([]);
});

test('names, scopes and times that cannot be are refused, and so is the 101st key', async () => {
  const owner = await darkroom.client();
  const code = async (input: object) => (await refusal(owner, create, { input })).code;
  expect(await code({ name: ' ', scopes: ['JOBS_READ'] })).toBe('INVALID_INPUT');
  expect(await code({ name: '', scopes: ['JOBS_READ'] })).toBe('INVALID_INPUT');
  expect(await code({ name: 'a\0b', scopes: ['JOBS_READ'] })).toBe('INVALID_INPUT');
  expect(await code({ name: 'x', scopes: [] })).toBe('INVALID_INPUT');
  expect(await code({ name: 'x', scopes: ['JOBS_READ'], expiresAt: '2020-01-01T00:00:00Z' })).toBe('INVALID_INPUT');
  await darkroom.app.db.apiKey.createMany({ data: Array.from({ length: 100 }, () => ({ id: randomUUID(), ownerId: owner.viewer, name: 'x', scopes: [], secretHash: '0'.repeat(64) })) });
  expect(await code({ name: 'x', scopes: ['JOBS_READ'] })).toBe('QUOTA_EXCEEDED');
});

test('whatever is wrong with a key, it is refused with the same words, after one comparison in constant time', async () => {
  const { secret } = await makeKey(await darkroom.client(), { scopes: ['JOBS_READ'] });
  const unknown = secret.replace(/_[0-9a-f]{16}_/, '_0123456789abcdef_');
  const wrong = [secret.slice(0, -1) + (secret.endsWith('A') ? 'B' : 'A'), unknown, secret.slice(0, -1), `${secret}A`, 'dr_', `dr_${'a'.repeat(7_000)}`];
  const compare = vi.spyOn(crypto, 'timingSafeEqual');
  syncBuiltinESMExports();
  try {
    for (const token of wrong) {
      compare.mockClear();
      expect(await refusal(createTestClient(darkroom.url, token, ''))).toEqual({ status: 401, data: undefined, code: 'UNAUTHENTICATED', message: 'There is no such API key. It was mistyped, or revoked' });
      expect(compare, token.slice(0, 60)).toHaveBeenCalledTimes(1);
    }
  } finally {
    compare.mockRestore();
    syncBuiltinESMExports();
  }
});

test('an expired key is refused and says so', async () => {
  const key = await makeKey(await darkroom.client(), { scopes: ['JOBS_READ'] });
  await darkroom.app.db.apiKey.updateMany({ where: { name: 'a program', expiresAt: null }, data: { expiresAt: new Date(Date.now() - 1_000) } });
  expect(await refusal(key.client)).toMatchObject({ status: 401, code: 'UNAUTHENTICATED', message: 'The API key "a program" has expired' });
});

test('a key that starts no jobs uploads and analyses; what else an upload runs, and how, needs jobs:write', async () => {
  const { client } = await makeKey(await darkroom.client(), { scopes: ['IMAGES_WRITE'] });
  const start = (name: string, argument: string, options: string) => refusal(client, `mutation { ${name}(${argument}, options: ${options}) { results { __typename } } }`);
  for (const [name, argument] of [['completeUploads', 'uploadIds: ["VXBsb2FkOng="]'], ['importImages', 'keys: ["x"]']] as const) {
    for (const options of ['{ run: [ANALYZE, REMOVE_BACKGROUND] }', '{ run: MODEL_3D }', '{ jobOptions: { webhookUrl: "https://example.com/" } }', '{ run: [], jobOptions: { priority: 9 } }']) {
      expect(await start(name, argument, options)).toMatchObject({ code: 'FORBIDDEN', message: expect.stringContaining('allows jobs:write') });
    }
    expect(await start(name, argument, '{ run: [ANALYZE], tags: ["a"] }')).toMatchObject({ data: { [name]: { results: [{ __typename: 'RefusedFile' }] } } });
  }
  const upload = 'mutation ($files: [File!]!, $options: UploadOptions) { uploadImages(files: $files, options: $options) { results { __typename } } }';
  const { errors } = await client.send(upload, [{ name: 'a.jpg', bytes: Buffer.from('x') }], { options: { run: ['REMOVE_BACKGROUND'] } });
  expect(errors).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }]);
});

test('who loses a key, or is suspended, loses what is open as well: sockets with 4403 and the reason, and streams', async () => {
  const owner = await darkroom.client();
  const key = await makeKey(owner, { scopes: ['JOBS_READ'] });
  const closings: [number, string][] = [];
  for (const token of [key.secret, owner.token]) openSocket(token).addEventListener('close', ({ code, reason }) => closings.push([code, reason]));
  const stream = await fetch(`${darkroom.url}/graphql`, { method: 'POST', headers: { 'content-type': 'application/json', accept: 'text/event-stream', authorization: `Bearer ${owner.token}` }, body: JSON.stringify({ query: 'subscription { jobs { id } }' }) });
  expect(stream.status).toBe(200);
  let streamEnded = false;
  void stream.text().catch(() => '').then(() => { streamEnded = true; });
  await until('two sockets to be acknowledged', () => acknowledged === 2 || acknowledged);

  await owner.get(revoke, { id: key.id });
  await until('the socket of the key to close', () => closings.length === 1 || closings);
  expect(closings).toEqual([[4403, 'The API key was revoked']]);

  const id = globalId('Viewer', owner.viewer);
  const { suspendViewer } = await admin.get('mutation ($id: ID!) { suspendViewer(id: $id, reason: "uploads of others\' work") { id name suspendedAt suspendedReason } }', { id });
  expect(suspendViewer).toEqual({ id, name: owner.viewer, suspendedAt: expect.any(String), suspendedReason: 'uploads of others\' work' });
  await until('what is open to end', () => (closings.length === 2 && streamEnded) || [closings, streamEnded]);
  expect(closings[1]).toEqual([4403, 'You are suspended: uploads of others\' work']);
  await until('a refusal', async () => (await refusal(owner)).code === 'FORBIDDEN');
  expect(await refusal(owner)).toEqual({ status: 403, data: undefined, code: 'FORBIDDEN', message: 'You are suspended: uploads of others\' work' });

  await admin.get('mutation ($id: ID!) { resumeViewer(id: $id) { suspendedAt } }', { id });
  await until('the viewer to be let in', async () => (await refusal(owner)).status === 200);
});

let acknowledged = 0;
function openSocket(token: string): WebSocket {
  const socket = new WebSocket(`${darkroom.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  socket.addEventListener('open', () => socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } })));
  socket.addEventListener('message', ({ data }) => { if (JSON.parse(String(data)).type === 'connection_ack') acknowledged += 1; });
  return socket;
}

test('an admin sees everybody, what they use and what they uploaded; nobody else does', async () => {
  const one = await darkroom.client(`page-${randomUUID()}`);
  await one.upload([{ name: 'red-car.jpg', bytes: await drawSample('red-car.jpg', { width: 120 }) }], { run: [] });
  const query = 'query ($first: Int, $after: String) { viewers(first: $first, after: $after) { totalCount pageInfo { hasNextPage endCursor } nodes { name lastSeenAt assetCount storedBytes jobCount uploads(first: 1) { nodes { filename byteSize url { url } } pageInfo { hasNextPage } } } } }';
  expect(await refusal(one, query)).toMatchObject({ status: 403, code: 'FORBIDDEN', message: expect.stringContaining('allows admin') });
  const seen: any[] = []; // eslint-disable-line @typescript-eslint/no-explicit-any
  for (let after: string | null = null, more = true; more;) {
    const { viewers } = await admin.get(query, { first: 3, after });
    seen.push(...viewers.nodes);
    ({ hasNextPage: more, endCursor: after } = viewers.pageInfo);
    if (!more) expect(seen.length).toBe(viewers.totalCount);
  }
  expect(new Set(seen.map(({ name }) => name)).size).toBe(seen.length);
  expect(seen.map(({ name }) => name)).toContain('desk');
  const found = seen.find(({ name }) => name === one.viewer);
  expect(found).toMatchObject({ assetCount: 1, jobCount: 0, uploads: { nodes: [{ filename: 'red-car.jpg', byteSize: found.storedBytes }] } });
  expect((await fetch(found.uploads.nodes[0].url.url)).status).toBe(200);

  const suspend = 'mutation ($id: ID!, $reason: String!) { suspendViewer(id: $id, reason: $reason) { id } }';
  const code = async (id: string, reason = 'x') => (await refusal(admin, suspend, { id, reason })).code;
  expect(await code(globalId('Viewer', 'desk'))).toBe('INVALID_INPUT');
  expect(await code(globalId('Viewer', 'nobody'))).toBe('NOT_FOUND');
  expect(await code(globalId('Job', randomUUID()))).toBe('NOT_FOUND');
  expect(await code(globalId('Viewer', one.viewer), ' ')).toBe('INVALID_INPUT');
  expect((await refusal(admin, query, { after: 'rubbish!' })).code).toBe('INVALID_INPUT');
});
