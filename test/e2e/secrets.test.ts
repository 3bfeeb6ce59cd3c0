import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { createLog } from '../../src/log.ts';
import { startTestApp, type TestApp } from '../app.ts';
import type { TestClient } from '../client.ts';
import { startOpenAi, type OpenAi } from '../fixtures/openai-server.ts';
import { uploadsOf } from '../fixtures/upload-client.ts';

const isEmbedded = inject('settings').REDIS_URL === undefined && inject('postgresUrl') === null;
const planted = {
  filename: 'planted-name-of-a-file',
  prompt: 'planted words of a prompt',
  metadata: 'planted-metadata',
  providerKey: 'sk-planted-key-of-a-provider',
  importToken: 'planted-token-of-an-import',
  password: 'planted-password-in-an-address',
  wrongToken: 'planted-token-that-is-wrong',
  variable: 'planted-variable-of-a-query',
};

// What is written down is the same for every database and queue, so it is read once.
describe.skipIf(!isEmbedded)('what is written down and what is sent along', () => {
  let darkroom: TestApp;
  let client: TestClient;
  let vendor: OpenAi;
  const lines: string[] = [];
  const answers: string[] = [];
  beforeAll(async () => {
    vendor = await startOpenAi(await flat('#3a6ea5'), { key: 'another key' });
    const log = createLog('trace', { secrets: [planted.providerKey], write: (line) => lines.push(line) });
    darkroom = await startTestApp({ ...vendor.settings, OPENAI_API_KEY: planted.providerKey, GENERATE_PROVIDER: 'local', JOB_MAX_FAILURES: '1', GRAPHQL_INTROSPECTION: 'true' }, { log });
    client = await darkroom.client();
  });
  afterAll(async () => {
    await darkroom.stop();
    await vendor.close();
  });
  const flat = (background: string) => sharp({ create: { width: 80, height: 60, channels: 3, background } }).png().toBuffer();
  const ask = async (query: string, variables: object = {}, authorization = `Bearer ${client.token}`) => {
    const response = await fetch(`${darkroom.url}/graphql`, { method: 'POST', headers: { authorization, 'content-type': 'application/json' }, body: JSON.stringify({ query, variables }) });
    const answer = (await response.json()) as { data: any; errors?: unknown[] }; // eslint-disable-line @typescript-eslint/no-explicit-any -- answers are checked by the test
    if (answer.errors) answers.push(JSON.stringify(answer.errors));
    return answer.data;
  };
  async function generate(provider: string) {
    const data = await ask('mutation ($input: GenerateImagesInput!, $options: JobOptions) { generateImages(input: $input, options: $options) { id } }', { input: { prompt: planted.prompt, width: 256, height: 256 }, options: { provider } });
    const [job] = await client.untilEnded([data.generateImages.id]);
    return job;
  }
  let shown: Record<'file' | 'rendition' | 'public' | 'archive' | 'put', string>;

  test('a session leaves no token, key, signed URL, prompt or file name in the log, and no secret in what a client is told', async () => {
    const { results } = await client.upload([{ name: `${planted.filename}.png`, bytes: await flat('#3a6ea5') }, { name: `${planted.filename}.svg`, bytes: Buffer.from('<svg>') }], { metadata: { note: planted.metadata }, visibility: 'PUBLIC' });
    await client.untilEnded(results[0].jobs.map(({ id }: { id: string }) => id));
    expect((await generate('local')).status).toBe('COMPLETED');
    answers.push(JSON.stringify((await generate('openai')).failure));
    const [put] = await uploadsOf(client).create([{ filename: `${planted.filename}.jpg`, byteSize: 10 }]);
    const { image, archive } = await ask('query ($id: ID!) { image(id: $id) { url { url } publicUrl rendition(width: 30) { url } } archive(ids: [$id]) { url } }', { id: results[0].image.id });
    shown = { file: image.url.url, rendition: image.rendition.url, public: image.publicUrl, archive: archive.url, put: put.url };
    for (const url of Object.values(shown).slice(0, 4)) expect((await fetch(url)).status).toBe(200);
    for (const url of Object.values(shown)) answers.push(await (await fetch(url.replace(/.$/, '_'))).text());

    const { apiKey, secret } = (await ask('mutation { createApiKey(input: { name: "planted", scopes: [IMAGES_READ] }) { apiKey { id } secret } }')).createApiKey;
    expect(await ask('{ viewer { id } }', {}, `Bearer ${secret}`)).toBeTruthy();
    await ask('mutation ($id: ID!) { revokeApiKey(id: $id) { id } }', { id: apiKey.id });
    for (const token of [secret, planted.wrongToken, `${client.token}x`]) await ask('{ viewer { id } }', {}, `Bearer ${token}`);
    await ask(`{ ${'x'.repeat(30)} `, { secret: planted.variable });
    await ask('query ($id: ID!) { image(id: $id) { id } }', { id: { note: planted.variable } });
    answers.pop(); // GraphQL says which value it could not read; that is its sender's own
    await ask('mutation ($urls: [URL!]!) { importImages(urls: $urls) { results { __typename ... on RefusedFile { filename message } } } }', { urls: [`http://127.0.0.1:9/a.png?token=${planted.importToken}`] })
      .then(({ importImages }) => answers.push(JSON.stringify(importImages)));

    // Faults of our own, with everything in them that a library could put there.
    const { storage, db, log } = darkroom.app;
    const { stat } = storage;
    storage.stat = () => Promise.reject(Object.assign(new Error(`GET http://user:${planted.password}@store.example/b/k?X-Amz-Signature=${planted.importToken}`, { cause: new Error(`Authorization: Bearer ${planted.wrongToken}`) }), { filename: planted.filename }));
    expect((await fetch(shown.file)).status).toBe(500);
    storage.stat = stat;
    await db.asset.create({ data: { filename: planted.filename, metadata: planted.metadata } as never }).catch((error: unknown) => log.error({ err: error, filename: planted.filename, job: { prompt: planted.prompt } }, 'A planted fault'));

    const text = lines.join('');
    const signatures = Object.values(shown).map((url) => /signature=([\w-]+)/.exec(url)?.[1] ?? /public\/([\w-]{43})/.exec(url)![1]!);
    const secrets = { token: client.token, apiKey: secret.split('_').slice(2).join('_'), signingSecret: await readFile(join(darkroom.app.config.DATA_DIR, 'signing-secret'), 'utf8') };
    for (const [name, value] of Object.entries({ ...planted, ...secrets, ...signatures })) {
      expect(value.length, name).toBeGreaterThan(15);
      expect(lines.filter((line) => line.includes(value)), `${name} in the log`).toEqual([]);
    }
    for (const [name, value] of Object.entries({ providerKey: planted.providerKey, password: planted.password, ...secrets })) expect(answers.join('').includes(value), `${name} in an answer`).toBe(false);
    // The session is in the log all the same.
    for (const told of ['Answered a request', 'Attempt ended', 'Argument `id` is missing', 'A file could not be served', 'store.example/b/k', 'A planted fault']) expect(text).toContain(told);
    expect(answers.length).toBeGreaterThan(8);
  });

  test('every route sends its headers: nothing is sniffed, framed or named to others, and only what may be kept is kept', async () => {
    const page = { accept: 'text/html' };
    const routes: [path: string, init: RequestInit, status: number][] = [
      ['/graphql?query={__typename}', { headers: { authorization: `Bearer ${client.token}` } }, 200],
      ['/graphql?query={__typename}', { headers: { authorization: 'Bearer wrong' } }, 401],
      ['/graphql', { method: 'POST', body: 'text', headers: { 'content-type': 'text/plain', authorization: `Bearer ${client.token}` } }, 415],
      ['/graphql', { method: 'POST', body: new FormData() }, 403],
      ['/graphql', { headers: page }, 200],
      ['/', { headers: page, redirect: 'manual' }, 302],
      ['/health/live', {}, 200], ['/health/ready', {}, 200], ['/nothing', {}, 404], ['/nothing', { method: 'OPTIONS' }, 204],
      [shown.file, {}, 200], [shown.file, { headers: { range: 'bytes=0-3' } }, 206], [shown.file, { headers: { range: 'bytes=99999-' } }, 416], [shown.file, { method: 'DELETE' }, 405], ['/files/originals/x', {}, 403],
      [shown.rendition, {}, 200], ['/renditions/x', {}, 403], [shown.public, {}, 200], ['/public/x', {}, 403], [shown.archive, {}, 200], ['/archives/x', {}, 403],
      [shown.put, { method: 'GET' }, 405], ['/put/uploads/x', { method: 'PUT', body: 'x' }, 403], ['/uploads/resumable/x', { method: 'HEAD' }, 401], ['/uploads/resumable/x', { method: 'PATCH', headers: { authorization: `Bearer ${client.token}` } }, 404],
    ];
    for (const [path, init, status] of routes) {
      const { headers, status: actual } = await fetch(new URL(path, darkroom.url), init);
      const named = `${init.method ?? 'GET'} ${path.slice(0, 60)}`;
      expect([named, actual, headers.get('x-content-type-options'), headers.get('referrer-policy')]).toEqual([named, status, 'nosniff', 'no-referrer']);
      expect(headers.get('content-security-policy'), named).toContain("frame-ancestors 'none'");
      expect(headers.get('x-request-id'), named).toBeTruthy();
      const keeps = actual < 300 && /^(http:|\/graphql$)/.test(path) && path !== shown.archive && init.method === undefined;
      expect([named, headers.get('cache-control')]).toEqual([named, keeps ? expect.stringMatching(/private|public/) : 'no-store']);
    }
  });
});
