import { createHash } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getIntrospectionQuery } from 'graphql';
import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { errorCodes } from '../src/errors.ts';
import { schema } from '../src/graphql/schema.ts';
import { ask, openDoor, type Door } from './fixtures/front-door.ts';

const repeat = (count: number, text: (index: number) => string, between = ' ') => Array.from({ length: count }, (_, index) => text(index)).join(between);

/** One operation over a socket: its first answer, or its list of errors. */
async function overSocket(door: Door, payload: { query: string; variables?: Record<string, unknown>; extensions?: Record<string, unknown> }) {
  const client = createClient({ url: door.socketUrl, webSocketImpl: WebSocket, retryAttempts: 0 });
  try {
    for await (const answer of client.iterate(payload)) return answer;
    return {};
  } catch (errors) {
    return { errors: errors as { message: string; extensions: { code: string } }[] };
  } finally {
    await client.dispose();
  }
}

describe('the whole graph on the open internet', () => {
  let door: Door;
  beforeAll(async () => { door = await openDoor({ HOST: '0.0.0.0', JWT_SECRET: 'a secret that only this test knows, long enough' }, { schema: schema as never }); });
  afterAll(() => door.close(1_000));

  const deep = (levels: number) => `{ job(id: "x") ${repeat(levels, () => '{ retryOf', '')} { id } ${'}'.repeat(levels)} }`;
  test.each([
    ['depth', deep(50), 'QUERY_TOO_COSTLY', '15 levels of fields'],
    ['depth in fragments', `{ job(id: "x") { ...F0 } } ${repeat(40, (level) => `fragment F${level} on Job { retryOf { ...F${level + 1} } }`)} fragment F40 on Job { id }`, 'QUERY_TOO_COSTLY', 'but received 42'],
    ['1,000 aliases', `{ ${repeat(600, (index) => `a${index}: __typename`)} }`, 'QUERY_TOO_COSTLY', '100 aliases but received 600'],
    ['directives', `{ viewer { id ${repeat(100, () => '@skip(if: false)')} } }`, 'QUERY_TOO_COSTLY', '50 directives but received 100'],
    ['directives on the operation and its variables', `query ($a: Int ${repeat(30, () => '@x')}) ${repeat(30, () => '@y')} { __typename }`, 'QUERY_TOO_COSTLY', 'received 60'],
    ['30,000 fields', `{ ${'__typename '.repeat(5_000)} }`, 'QUERY_TOO_COSTLY', '2000 tokens'],
    ['a megabyte of tokens', `{ ${'a '.repeat(40_000)} }`, 'QUERY_TOO_COSTLY', '64000 characters'],
    ['5,000 nested fragments', `{${'...{'.repeat(5_000)}id${'}'.repeat(5_000)}}`, 'QUERY_TOO_COSTLY', '2000 tokens'],
    ['fragments that double 25 times', `{ viewer { ...F0 } } ${repeat(25, (level) => `fragment F${level} on Viewer { a${level}: id ...F${level + 1} ...F${level + 1} }`)} fragment F25 on Viewer { id }`, 'QUERY_TOO_COSTLY', '1000 fields'],
    ['a circle of fragments', '{ viewer { ...A } } fragment A on Viewer { ...B } fragment B on Viewer { ...A }', 'INVALID_INPUT', 'within itself'],
    ['introspection', '{ __schema { types { name } } }', 'FORBIDDEN', 'schema.graphql'],
    ['introspection of one type', '{ __type(name: "Job") { name } }', 'FORBIDDEN', 'schema.graphql'],
    ['an Int that is none', '{ images(first: 99999999999) { nodes { id } } }', 'INVALID_INPUT', '32-bit'],
  ])('%s is refused in a sentence, over HTTP as over sockets', async (_name, query, code, sentence) => {
    const { body } = await ask(door, query);
    expect(body.data).toBeUndefined();
    expect(body.errors?.[0]).toMatchObject({ message: expect.stringContaining(sentence), extensions: { code } });
    for (const { message, extensions } of body.errors!) {
      expect(Object.keys(errorCodes)).toContain(extensions.code);
      expect(message).not.toMatch(/^Syntax Error/);
    }
    const { errors } = await overSocket(door, { query });
    expect(errors?.[0]?.extensions?.code).toBe(code);
  });

  test.each([
    ['a field', '{ viewre { id } }', {}],
    ['an argument', '{ images(frist: 1) { nodes { id } } }', {}],
    ['a type', '{ viewer { ... on Viewr { id } } }', {}],
    ['an enum value', '{ images(orderBy: { field: CREATED_ATT }) { nodes { id } } }', {}],
    ['a field of an input in a variable', 'query ($filter: JobFilter) { jobs(filter: $filter) { nodes { id } } }', { filter: { statsu: ['FAILED'] } }],
  ])('%s that is misspelt gets no hint at the schema', async (_name, query, variables) => {
    const { body } = await ask(door, query, { variables });
    expect(body.errors?.[0]?.extensions.code).toBe('INVALID_INPUT');
    expect(JSON.stringify(body.errors)).not.toMatch(/did you mean/i);
  });

  test('what a client needs for its own types is answered', async () => {
    expect((await ask(door, '{ __typename }')).body).toMatchObject({ data: { __typename: 'Query' } });
  });

  test('a list of operations is refused, whatever its length', async () => {
    const response = await fetch(door.endpoint, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(Array(100).fill({ query: '{ __typename }' })) });
    expect([response.status, await response.json()]).toMatchObject([400, { errors: [{ message: expect.stringContaining('a list of 100'), extensions: { code: 'INVALID_INPUT' } }] }]);
  });

  test('names of prototypes among the variables change nothing', async () => {
    const response = await fetch(door.endpoint, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"query":"query ($a: Boolean = false) { __typename @skip(if: $a) }","variables":{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}},"extensions":{"__proto__":{"polluted":true}}}' });
    expect(((await response.json()) as { data?: unknown }).data).toEqual({ __typename: 'Query' });
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });
});

test('on loopback the schema is described, whole and within the limits', async () => {
  const door = await openDoor({}, { schema: schema as never });
  const query = getIntrospectionQuery({ descriptions: true, specifiedByUrl: true, directiveIsRepeatable: true, schemaDescription: true, inputValueDeprecation: true, oneOf: true });
  expect((await ask(door, query)).body.errors).toBeUndefined();
  expect((await ask(door, '{ viewre { id } }')).body.errors?.[0]?.message).toMatch(/Did you mean "viewer"/);
  await door.close(1_000);
});

describe('with a manifest of operations', () => {
  const text = 'query Name { me }';
  const subscription = 'subscription Ticks { tick(count: 1) }';
  const sha256 = createHash('sha256').update(text).digest('hex');
  const manifest = join(mkdtempSync(join(tmpdir(), 'darkroom-manifest-')), 'persisted.json');
  let door: Door;
  beforeAll(async () => {
    writeFileSync(manifest, JSON.stringify({ abc123: text, def456: subscription }));
    door = await openDoor({ PERSISTED_OPERATIONS: manifest });
  });
  afterAll(() => door.close(1_000));

  const post = async (body: object) => {
    const response = await fetch(door.endpoint, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
    return [response.status, await response.json()] as const;
  };

  test.each([
    ['documentId', { documentId: 'abc123' }],
    ['the hash of urql and Apollo, which is that of the text', { extensions: { persistedQuery: { version: 1, sha256Hash: sha256 } } }],
    ['its hash in the manifest', { extensions: { persistedQuery: { version: 1, sha256Hash: 'abc123' } } }],
    ['its text', { query: text }],
  ])('an operation is asked for by %s', async (_name, body) => {
    expect(await post(body)).toMatchObject([200, { data: { me: 'nobody' } }]);
  });

  test('by GET as well, as clients do that want answers from a cache', async () => {
    const extensions = encodeURIComponent(JSON.stringify({ persistedQuery: { version: 1, sha256Hash: sha256 } }));
    const response = await fetch(`${door.endpoint}?extensions=${extensions}`, { headers: { accept: 'application/json' } });
    expect(await response.json()).toMatchObject({ data: { me: 'nobody' } });
  });

  test.each([
    ['another text', { query: '{ me }' }],
    ['a text that comes with a known hash of another', { query: '{ __typename }', extensions: { persistedQuery: { version: 1, sha256Hash: 'f'.repeat(64) } } }],
    ['an id that is none', { documentId: 'nothing' }],
    ['an id that is no text', { documentId: { abc123: 1 } }],
    ['nothing', {}],
  ])('%s is refused', async (_name, body) => {
    expect(await post(body)).toMatchObject([403, { errors: [{ extensions: { code: 'FORBIDDEN' } }] }]);
  });

  test('over sockets the same', async () => {
    expect(await overSocket(door, { query: '', extensions: { persistedQuery: { version: 1, sha256Hash: 'def456' } } })).toMatchObject({ data: { tick: '1' } });
    expect(await overSocket(door, { query: '', documentId: 'abc123' } as never)).toMatchObject({ data: { me: 'nobody' } });
    expect(await overSocket(door, { query: subscription })).toMatchObject({ data: { tick: '1' } });
    expect(await overSocket(door, { query: 'subscription { tick(count: 1) }' })).toMatchObject({ errors: [{ extensions: { code: 'FORBIDDEN' } }] });
  });

  test('a manifest that is none, or that the schema does not know, refuses the start in a sentence', async () => {
    await expect(openDoor({ PERSISTED_OPERATIONS: '/nowhere.json' })).rejects.toThrow(/PERSISTED_OPERATIONS: .*\/nowhere\.json/);
    const wrong = `${manifest}.wrong`;
    writeFileSync(wrong, JSON.stringify({ a: '{ me', b: '{ them }', c: text }));
    await expect(openDoor({ PERSISTED_OPERATIONS: wrong })).rejects.toThrow(/operation a .*Syntax Error[\s\S]*operation b .*"them"/);
  });
});
