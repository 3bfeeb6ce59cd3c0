import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { UserError } from '../src/errors.ts';
import { createPlainJson } from '../src/graphql/plain-json.ts';
import { createGraphql } from '../src/graphql/yoga.ts';
import { openDoor, schemaOver, type Door, type Visitor } from './fixtures/front-door.ts';
import { until } from './until.ts';

let door: Door;
beforeAll(async () => { door = await openDoor({ CORS_ORIGINS: 'https://app.example', GRAPHQL_MAX_ALIASES: '5' }); });
afterAll(() => door.close(1_000));

/** Yoga answers where Accept begins with something that it has not: the rest of the header is what it goes by. */
const throughYoga = (accept: string) => `text/html, ${accept}`;

async function send(body: string, accept: string, headers: Record<string, string> = {}, { endpoint }: { endpoint: string } = door) {
  const response = await fetch(endpoint, { method: 'POST', body, headers: { 'content-type': 'application/json', 'x-request-id': 'same', origin: 'https://app.example', accept, ...headers } });
  const { date: _, 'transfer-encoding': __, 'content-length': ___, ...rest } = Object.fromEntries(response.headers);
  return { status: response.status, headers: rest, text: (await response.text()).replace(throughYoga(''), '') };
}

const plain: [string, object, Record<string, string>?][] = [
  ['a query', { query: '{ me }' }],
  ['a query with nulls for what is not there', { query: '{ me }', variables: null, operationName: null, extensions: null }],
  ['one of two operations', { query: 'query a { me } query b { wrong }', operationName: 'b', extensions: { app: 1 } }],
  ['a type with parameters', { query: '{ me }' }, { 'content-type': 'application/json; charset=utf-8' }],
  ['a viewer', { query: '{ me }' }, { authorization: 'Bearer anna' }],
  ['a fault of ours', { query: '{ me broken }' }],
  ['a fault that leaves nothing', { query: '{ broken }' }],
  ['a fault of the request', { query: '{ refused }' }],
  ['a database that is away', { query: '{ unreachable }' }],
  ['a variable that is missing', { query: 'query ($n: Even!) { even(n: $n) }', variables: {} }],
  ['a value that is refused', { query: 'query ($n: Even!) { even(n: $n) }', variables: { n: 3 } }],
  ['a mutation', { query: 'mutation ($files: [File]!) { upload(files: $files) { filename } }', variables: { files: [null] } }],
];
const unplain: [string, unknown, Record<string, string>?][] = [
  ['a syntax error', { query: '{ me' }],
  ['a value that is refused in the text', { query: '{ even(n: 3) }' }],
  ['a field that is not there', { query: '{ them }' }],
  ['a query that costs too much', { query: '{ a: me b: me c: me d: me e: me f: me }' }],
  ['an operation that is not there', { query: 'query a { me }', operationName: 'b' }],
  ['no name for one of two', { query: 'query a { me } query b { me }' }],
  ['a name that is a number', { query: '{ me }', operationName: 1 }],
  ['a query that is a number', { query: 1 }],
  ['no query', {}],
  ['an empty query', { query: '' }],
  ['a document id without a manifest', { query: '{ me }', documentId: 'a' }],
  ['a parameter that nobody knows', { query: '{ me }', more: 1 }],
  ['variables in a list', { query: '{ me }', variables: [] }],
  ['a batch', [{ query: '{ me }' }]],
  ['null', null],
  ['a number', 7],
  ['a bad credential', { query: '{ me }' }, { authorization: 'Bearer bad' }],
  ['a context that breaks', { query: '{ me }' }, { authorization: 'Bearer broken' }],
  ['a compressed body', { query: '{ me }' }, { 'content-encoding': 'gzip' }],
  ['a type that only looks like JSON', { query: '{ me }' }, { 'content-type': 'application/jsonp' }],
  ['a subscription', { query: 'subscription { tick(count: 1) }' }],
];

describe.each(['application/json', 'application/graphql-response+json', '*/*', 'application/graphql-response+json, application/json;q=0.9'])('with Accept: %s the answer is that of Yoga, twice over', (accept) => {
  test.each([...plain, ...unplain])('%s', async (_what, body, headers) => {
    // Twice, because what is wrong with a document is kept.
    for (const _ of [1, 2]) {
      expect(await send(JSON.stringify(body), accept, headers)).toEqual(await send(JSON.stringify(body), throughYoga(accept), headers));
    }
  });

  test('a body that is no JSON', async () => {
    for (const body of ['{', '{ me }', ' ', '\0', `"${'x'.repeat(900_000)}"`, '\uFEFF{"query":"{ me }"}']) expect(await send(body, accept)).toEqual(await send(body, throughYoga(accept)));
  });
});

describe('the plain way alone', () => {
  let server: Server;
  beforeAll(async () => {
    const log = pino({ level: 'silent' });
    const graphql = createGraphql<Visitor>({ schema: schemaOver(), log, spool: door.folder, uploads: { maxFiles: 1, maxFileBytes: 1, maxFieldBytes: 1 }, documents: door.config, admit: () => {} });
    const answerPlainJson = createPlainJson<Visitor>({ graphql, log, findDocument: undefined });
    const who = async ({ headers }: IncomingMessage) => {
      if (headers.authorization?.startsWith('Bearer b')) throw new UserError('UNAUTHENTICATED', 'Expected another');
      return { name: 'anna', requestId: 'same' };
    };
    server = createServer(async (request, response) => {
      if (!(await answerPlainJson(request, response, { requestId: 'same', viewerContext: () => who(request) }))) {
        const { body } = request as IncomingMessage & { body?: Readable };
        response.writeHead(299).end(body && (await text(body)));
      }
    }).listen(0);
    await once(server, 'listening');
  });
  afterAll(() => void server.close());
  const sendPlain = (body: unknown, accept: string, headers = {}) => send(JSON.stringify(body), accept, headers, { endpoint: `http://localhost:${(server.address() as AddressInfo).port}` });

  test.each(plain)('%s is answered', async (_what, body, headers) => {
    expect(await sendPlain(body, '*/*', headers)).toMatchObject({ status: 200, text: expect.stringMatching(/^{"(data|errors)":/) });
  });
  test.each(unplain)('%s is left to Yoga', async (_what, body, headers) => {
    expect((await sendPlain(body, '*/*', headers)).status).toBe(299);
  });
  test('Yoga finds the body that was read, and reads one that was not', async () => {
    expect((await sendPlain({ query: '{ them }' }, '*/*')).text).toBe('{"query":"{ them }"}');
    expect((await sendPlain({ query: '{ me }' }, 'text/event-stream')).text).toBe('');
  });
});

test('operations of a manifest, and others', async () => {
  const manifest = join(door.folder, 'manifest.json');
  await writeFile(manifest, JSON.stringify({ abc: '{ me }' }));
  const strict = await openDoor({ PERSISTED_OPERATIONS: manifest, CORS_ORIGINS: 'https://app.example' });
  const answers = async (body: unknown) => {
    const answer = await send(JSON.stringify(body), '*/*', {}, strict);
    expect(answer).toEqual(await send(JSON.stringify(body), throughYoga('*/*'), {}, strict));
    return answer.text;
  };
  for (const body of [{ query: '{ me }' }, { documentId: 'sha256:abc' }, { query: null, extensions: { persistedQuery: { sha256Hash: 'abc' } } }]) expect(await answers(body)).toBe('{"data":{"me":"nobody"}}');
  for (const body of [{ query: '{ wrong }' }, { query: 1 }, { documentId: null }, {}]) expect(await answers(body)).toContain('"FORBIDDEN"');
  expect(await answers({ documentId: 'abc', variables: [] })).toContain('Expected \\"variables\\"');
  await strict.close(1_000);
});

test('who leaves in the middle of a body, or while it is asked who it is, is forgotten without a word', async () => {
  const body = JSON.stringify({ query: 'mutation { wait }' });
  const head = (more: string) => `POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n${more}\r\n`;
  const before = door.state.credentials.length;
  const logged = door.logText().length;
  for (const [more, part] of [['', body.slice(0, 5)], ['authorization: Bearer slow\r\n', body.slice(0, 5)]] as const) {
    const asked = door.state.credentials.length;
    const socket = connect(door.port, '127.0.0.1');
    socket.write(head(more) + part);
    await until('a request', () => door.state.credentials.length > asked);
    socket.destroy();
    await once(socket, 'close');
    door.state.release();
  }
  expect((await send('{"query":"{ me }"}', '*/*')).text).toBe('{"data":{"me":"nobody"}}');
  expect(door.state.credentials.length).toBe(before + 3);
  expect(door.logText().slice(logged)).not.toContain('"level":50');
});
