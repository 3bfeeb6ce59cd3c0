import { request as httpRequest } from 'node:http';
import { GraphQLScalarType, parse, validate } from 'graphql';
import { createSchema } from 'graphql-yoga';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { chromiumPath } from '../bin/services/chromium.ts';
import { examples } from '../src/graphql/examples.ts';
import { SpooledFile } from '../src/graphql/multipart.ts';
import { schema as ownSchema } from '../src/graphql/schema.ts';
import { openDoor, type Door, type Visitor } from './fixtures/front-door.ts';
import { until } from './until.ts';

/** The part of the graph that the page's upload bar speaks to. */
const schema = createSchema<Visitor>({
  typeDefs: /* GraphQL */ `
    scalar File
    enum OperationName { ANALYZE }
    input UploadOptions { run: [OperationName!], tags: [String!] }
    type SignedUrl { url: String! }
    type Image { id: ID!, filename: String!, width: Int!, height: Int!, url: SignedUrl! }
    type Operation { name: OperationName! }
    type JobFailure { code: String!, message: String!, hint: String }
    type Job { id: ID!, status: String!, operation: Operation!, inputs: [Image!]!, failure: JobFailure }
    type UploadedImage { index: Int!, filename: String!, alreadyStored: Boolean!, image: Image!, jobs: [Job!]! }
    type RefusedFile { index: Int!, filename: String!, code: String!, message: String!, hint: String }
    union UploadResult = UploadedImage | RefusedFile
    type UploadImagesPayload { results: [UploadResult!]! }
    type JobEvent { cursor: String!, status: String!, progress: Int!, stage: String, job: Job! }
    type Query { me: String! }
    type Mutation { uploadImages(files: [File!]!, options: UploadOptions): UploadImagesPayload! }
    type Subscription { jobEvents(jobIds: [ID!]): JobEvent! }
  `,
  resolvers: {
    File: new GraphQLScalarType({ name: 'File', parseValue: (value) => { if (value instanceof SpooledFile) return value; throw new TypeError('Expected a file'); } }),
    UploadResult: { __resolveType: (result: object) => ('image' in result ? 'UploadedImage' : 'RefusedFile') },
    Mutation: {
      uploadImages: (_source, { files }: { files: SpooledFile[] }) => ({
        results: files.map(({ filename, byteSize }, index) => byteSize > 100
          ? { index, filename, code: 'TOO_LARGE', message: `Expected at most 100 bytes but received ${byteSize}`, hint: 'Make it smaller' }
          : { index, filename, alreadyStored: index > 0, image: { id: `image-${index}`, width: 3, height: 4, url: { url: '/files/x' } }, jobs: [{ id: `job-${index}`, status: 'PENDING' }] }),
      }),
    },
    Subscription: {
      jobEvents: {
        subscribe: async function* (_source: unknown, { jobIds }: { jobIds: string[] }) {
          for (const id of jobIds) yield { jobEvents: { cursor: id, status: 'COMPLETED', progress: 100, job: { id, operation: { name: 'ANALYZE' }, inputs: [] } } };
        },
      },
    },
  },
});

let door: Door;
beforeAll(async () => { door = await openDoor({ JWT_SECRET: 's'.repeat(32) }, { schema }); });
afterAll(() => door.close(1_000));
const html = { accept: 'text/html' };

test('every example is valid against the whole graph, and opens with every variable it needs', () => {
  for (const { query, title, variables } of examples) {
    const document = parse(query);
    expect([title, validate(ownSchema, document)]).toEqual([title, []]);
    const [operation] = document.definitions;
    if (operation?.kind !== 'OperationDefinition') throw new Error('Expected an operation');
    expect(operation.name?.value).toBe(title);
    expect(operation.variableDefinitions?.map(({ variable }) => variable.name.value).sort()).toEqual(Object.keys(variables).sort());
  }
});

test('the page loads nothing from anywhere else', async () => {
  const response = await fetch(door.endpoint, { headers: html });
  const page = await response.text();
  expect(response.headers.get('content-type')).toContain('text/html');
  expect(page.match(/<script[^>]*\ssrc=|<link[^>]*rel="stylesheet"/g)).toBeNull();
  expect(page.match(/<link[^>]*href="https?:[^"]*"/g)).toBeNull();
  const policy = response.headers.get('content-security-policy') ?? '';
  expect(policy).toContain("default-src 'none'");
  expect(policy).not.toMatch(/script-src[^;]*unsafe|https?:/);
});

test('the page travels compressed and once', async () => {
  const get = (headers: Record<string, string>) => new Promise<{ status?: number; size: number; headers: NodeJS.Dict<string | string[]> }>((resolve, reject) => {
    httpRequest(door.endpoint, { headers: { ...html, ...headers } }, (response) => {
      let size = 0;
      response.on('data', (chunk: Buffer) => { size += chunk.length; }).on('end', () => resolve({ status: response.statusCode, size, headers: response.headers }));
    }).on('error', reject).end();
  });
  const first = await get({ 'accept-encoding': 'gzip' });
  expect(first.headers['content-encoding']).toBe('gzip');
  expect(first.size).toBeLessThan(3_000_000);
  expect((await get({ 'if-none-match': String(first.headers.etag) })).status).toBe(304);
  expect((await get({})).size).toBeGreaterThan(3_000_000);
});

test('without GRAPHIQL there is no page', async () => {
  const plain = await openDoor({ GRAPHIQL: 'false' });
  const response = await fetch(plain.endpoint, { headers: html });
  expect(response.headers.get('content-type') ?? '').not.toContain('text/html');
  await plain.close(1_000);
});

// `bin/test` says why it cannot be had.
const browserPath = await chromiumPath().catch(() => '');
describe.skipIf(!browserPath)('in a browser', () => {
  let browser: Browser;
  let page: Page;
  const faults: string[] = [];
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: browserPath, args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking'] });
    page = await browser.newPage();
    page.on('pageerror', (error) => faults.push(error.message));
    page.on('console', (message) => { if (message.type() === 'error') faults.push(message.text()); });
    page.on('request', (request) => { if (!/^(blob:|data:)/.test(request.url()) && !request.url().startsWith(door.url)) faults.push(request.url()); });
    await page.goto(door.endpoint);
    await page.waitForSelector('.graphiql-execute-button');
  });
  afterAll(() => browser.close());

  test('a typed token is sent over HTTP and sockets, pictures are uploaded, their jobs watched, and one is taken to the tab that cuts it out', async () => {
    await page.fill('#token', 'anna');
    await Promise.all([page.waitForEvent('load'), page.press('#token', 'Tab')]);
    await until('a request with the token', () => door.state.credentials.some(({ authorization }) => authorization === 'Bearer anna'));
    await page.waitForSelector('.graphiql-execute-button');

    await page.setInputFiles('#files', [{ name: 'beach.jpg', size: 3 }, { name: 'red <b>car.png', size: 4 }, { name: 'huge.tiff', size: 500 }].map(({ name, size }) => ({ name, mimeType: 'image/png', buffer: Buffer.alloc(size, 1) })));
    await page.click('#upload .act');
    await page.waitForSelector('#upload li');
    expect(await page.locator('#upload li').allTextContents()).toEqual([
      'beach.jpg is stored open similar cut out image-0', 'red <b>car.png was already here open similar cut out image-1', 'huge.tiff Expected at most 100 bytes but received 500. Make it smaller. ',
    ]);
    expect(await page.textContent('#upload [role=status]')).toBe('2 of 3 pictures stored, 2 jobs started');

    await Promise.all([page.waitForEvent('load'), page.click('#upload .watch')]);
    await page.waitForSelector('.graphiql-execute-button');
    await until('the job ids in the Watch tab', async () => /"job-0",\s*"job-1"/.test(((await page.textContent('[aria-label="Variables"]')) ?? '').replaceAll('\u00a0', ' ')) || page.textContent('[aria-label="Variables"]'));
    await page.click('.graphiql-execute-button');
    await until('an event in the answer', async () => ((await page.textContent('.result-window')) ?? '').includes('COMPLETED'));
    expect(door.state.credentials.filter(({ transport }) => transport === 'websocket').map(({ authorization }) => authorization)).toContain('Bearer anna');

    await page.setInputFiles('#files', [{ name: 'beach.jpg', mimeType: 'image/png', buffer: Buffer.alloc(3, 1) }]);
    await page.click('#upload .act');
    await Promise.all([page.waitForEvent('load'), page.click('[aria-label="Cut out the subject of beach.jpg"]')]);
    await page.waitForSelector('.graphiql-execute-button');
    await until('the picture in the CutOut tab', async () => /"imageId": "image-0"/.test(((await page.textContent('[aria-label="Variables"]')) ?? '').replaceAll('\u00a0', ' ')));
    expect(faults).toEqual([]);
  });
});
