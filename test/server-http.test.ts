import { connect } from 'node:net';
import { once } from 'node:events';
import { get } from 'node:http';
import { serverAudits } from 'graphql-http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask, openDoor, type Door } from './fixtures/front-door.ts';
import { until } from './until.ts';

let door: Door;
beforeAll(async () => { door = await openDoor({ CORS_ORIGINS: 'https://app.example' }); });
afterAll(() => door.close(1_000));

const json = { 'content-type': 'application/json' };
const firstError = async (query: string, more = {}) => (await ask(door, query, more)).body.errors?.[0];

describe('errors', () => {
  test('a fault of ours is masked for the client and logged with its stack under the same request id', async () => {
    const { headers, body, status } = await ask(door, '{ me broken }', { headers: { 'x-request-id': 'my-own.id:1' } });
    expect(status).toBe(200);
    expect(headers.get('x-request-id')).toBe('my-own.id:1');
    expect(body.errors?.[0]).toMatchObject({ message: 'Something went wrong on our side. Quote this request id: my-own.id:1', path: ['broken'], extensions: { code: 'INTERNAL' } });
    expect(JSON.stringify(body)).not.toContain('hunter2');
    expect(door.logText()).toMatch(/"requestId":"my-own.id:1".*hunter2.*front-door/);
  });

  test('what a resolver gives that its type cannot print is our fault too', async () => {
    expect(await firstError('{ number }')).toMatchObject({ extensions: { code: 'INTERNAL' } });
  });

  test('a fault of the request keeps its sentence and code', async () => {
    expect(await firstError('{ refused }')).toMatchObject({ message: 'There is no such image', extensions: { code: 'NOT_FOUND' } });
  });

  test('a database that cannot be reached has a code of its own', async () => {
    const fault = await firstError('{ unreachable }');
    expect(fault?.extensions.code).toBe('DATABASE_UNAVAILABLE');
    expect(fault?.message).not.toContain('5432');
  });

  test.each([
    ['a syntax error', '{ me', {}],
    ['an unknown field', '{ them }', {}],
    ['a variable of the wrong type', 'query ($count: Int!) { me } ', { count: 'many' }],
    ['a value that a scalar refuses, in a variable', 'query ($n: Even!) { even(n: $n) }', { n: 3 }],
    ['a value that a scalar refuses, in the text', '{ even(n: 3) }', {}],
    ['an operation that is not there', 'query a { me } query b { me }', {}],
    ['a text for a file', 'mutation { upload(files: ["a"]) { filename } }', {}],
  ])('%s is INVALID_INPUT', async (_name, query, variables) => {
    const fault = await firstError(query, { variables });
    expect(fault?.extensions.code).toBe('INVALID_INPUT');
    expect(fault?.message.length).toBeGreaterThan(10);
  });

  test.each([[{ files: [null] }], [{ files: null }], [{}], [{ files: ['a'] }]])('where a file is wanted and %j comes it is said how files are sent', async (variables) => {
    expect(await firstError('mutation ($files: [File!]!) { upload(files: $files) { filename } }', { variables })).toMatchObject({ extensions: { code: 'INVALID_INPUT', hint: expect.stringContaining('multipart/form-data') } });
  });

  test('a credential that is not good is 401 with the reason', async () => {
    for (const accept of ['application/json', 'application/graphql-response+json', 'text/event-stream', 'text/html']) {
      const response = await fetch(door.endpoint, { method: 'POST', headers: { ...json, accept, authorization: 'Bearer bad' }, body: '{"query":"{ me }"}' });
      expect([response.status, response.headers.get('www-authenticate')], accept).toEqual([401, 'Bearer']);
      expect(await response.text()).toContain('"UNAUTHENTICATED"');
    }
  });

  test('a context that breaks is masked as well', async () => {
    const { status, body } = await ask(door, '{ me }', { headers: { authorization: 'Bearer broken' } });
    expect([status, body.errors?.[0]?.extensions.code]).toEqual([500, 'INTERNAL']);
    expect(JSON.stringify(body)).not.toContain('hunter2');
  });

  test.each([['x'.repeat(101)], ['a b'], ['<script>']])('a request id that is no id is replaced: %s', async (id) => {
    const { headers } = await ask(door, '{ me }', { headers: { 'x-request-id': id } });
    expect(headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('the viewer is asked for once per request, with the header and the request id', async () => {
    const before = door.state.credentials.length;
    const { body } = await ask(door, '{ a: me b: me }', { headers: { authorization: 'Bearer anna', 'x-request-id': 'once' } });
    expect(body.data).toEqual({ a: 'anna', b: 'anna' });
    expect(door.state.credentials.slice(before)).toEqual([{ authorization: 'Bearer anna', requestId: 'once', transport: 'http', address: '127.0.0.1' }]);
  });
});

describe('limits', () => {
  test.each([
    ['nesting', `{${'a{'.repeat(5_000)}`],
    ['aliases', `{${Array.from({ length: 1_000 }, (_, index) => `a${index}:me`).join(' ')}}`],
    ['length', `{ me #${' '.repeat(70_000)}\n}`],
  ])('a query that abuses %s costs nothing and is told so', async (_name, query) => {
    const { status, body } = await ask(door, query);
    expect(status).toBeLessThan(500);
    expect(body.errors?.[0]?.extensions.code).toBe('QUERY_TOO_COSTLY');
  });

  test('a JSON body over a megabyte is 413 by its header', async () => {
    const { status, body } = await ask(door, '{ me }', { variables: { text: 'x'.repeat(1_000_001) } });
    expect([status, body.errors?.[0]?.extensions.code]).toEqual([413, 'TOO_LARGE']);
  });

  test('a JSON body of unknown length is 411', async () => {
    const body = new ReadableStream({ start: (controller) => { controller.enqueue(Buffer.from('{"query":"{ me }"}')); controller.close(); } });
    const response = await fetch(door.endpoint, { method: 'POST', headers: json, body, duplex: 'half' } as RequestInit);
    expect(response.status).toBe(411);
  });

  test('a compressed body is 415: it could unfold without end', async () => {
    const response = await fetch(door.endpoint, { method: 'POST', headers: { ...json, 'content-encoding': 'gzip' }, body: Buffer.from([31, 139]) });
    expect(response.status).toBe(415);
  });

  test.each([['not JSON', '{'], ['null', 'null'], ['a number', '7'], ['a batch', '[{"query":"{ me }"}]'], ['no query', '{}'], ['a query that is a number', '{"query":1}']])('a body that is %s is 400 INVALID_INPUT', async (_name, text) => {
    const response = await fetch(door.endpoint, { method: 'POST', headers: json, body: text });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'INVALID_INPUT' } }] });
  });
});

describe('GraphQL over HTTP', () => {
  const url = (query: string) => `${door.endpoint}?query=${encodeURIComponent(query)}`;

  test('a query by GET is answered', async () => {
    expect(await (await fetch(url('{ me }'))).json()).toEqual({ data: { me: 'nobody' } });
  });
  test('variables that are no JSON are 400', async () => {
    const response = await fetch(`${url('{ me }')}&variables=nope`);
    expect([response.status, await response.json()]).toMatchObject([400, { errors: [{ extensions: { code: 'INVALID_INPUT' } }] }]);
  });
  test('every audit of the GraphQL over HTTP specification passes', async () => {
    const failed = [];
    for (const audit of serverAudits({ url: door.endpoint, fetchFn: fetch })) {
      const result = await audit.fn();
      if (result.status !== 'ok') failed.push(`${audit.id} ${audit.name}: ${result.reason}`);
    }
    expect(failed).toEqual([]);
  });
  test('a mutation by GET is 405', async () => {
    expect((await fetch(url('mutation { wait }'))).status).toBe(405);
  });
  test.each([
    ['a body of another type', 415, { 'content-type': 'text/plain' }, '{ me }', 'Expected the header Content-Type: application/json but received "text/plain". '],
    ['a body without a type', 415, {}, Buffer.from('{ me }'), 'Expected the header Content-Type: application/json but received none. '],
    ['an answer of another type', 406, { ...json, accept: 'text/html' }, '{"query":"{ me }"}', /^Expected the header Accept to allow .*application\/json.* for the answer but received "text\/html"$/],
    ['a subscription of another type', 406, { ...json, accept: 'application/json' }, '{"query":"subscription { tick(count: 1) }"}', 'Expected the header Accept to allow text/event-stream for a subscription but received "application/json"'],
    ['both', 415, { 'content-type': 'text/plain', accept: 'text/html' }, '{ me }', 'Content-Type'],
  ])('%s is refused with %i in a sentence, as JSON', async (_what, status, headers, body, message) => {
    const response = await fetch(door.endpoint, { method: 'POST', headers: headers as Record<string, string>, body });
    expect([response.status, response.headers.get('content-type')]).toEqual([status, 'application/json; charset=utf-8']);
    expect(await response.json()).toEqual({ errors: [{ message: message instanceof RegExp ? expect.stringMatching(message) : expect.stringContaining(message), extensions: { code: 'INVALID_INPUT' } }] });
    expect(door.state.ticking).toBe(0);
  });
  test('PUT is 405', async () => {
    expect((await fetch(door.endpoint, { method: 'PUT', body: '{}', headers: json })).status).toBe(405);
  });
  test('an urlencoded form needs a header that no foreign form can send', async () => {
    const send = (headers: Record<string, string>) => fetch(door.endpoint, { method: 'POST', body: new URLSearchParams({ query: '{ me }' }), headers });
    expect((await send({})).status).toBe(403);
    expect((await send({ 'apollo-require-preflight': '1' })).status).toBe(200);
  });
  test('a client that asks for application/graphql-response+json gets it, and 400 for a bad query', async () => {
    const response = await fetch(door.endpoint, { method: 'POST', headers: { ...json, accept: 'application/graphql-response+json' }, body: '{"query":"{ them }"}' });
    expect(response.status).toBe(400);
    expect(response.headers.get('content-type')).toContain('application/graphql-response+json');
  });
});

test('a port that another program has is told with the settings that help', async () => {
  await expect(openDoor({ PORT: String(door.port) })).rejects.toThrow(`Expected to listen on port ${door.port} of 127.0.0.1 but another program listens there. Set PORT or HOST to another.`);
});

describe('the world outside', () => {
  const preflight = (origin: string) => fetch(door.endpoint, { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type,authorization' } });

  test('a page of CORS_ORIGINS may call, any other gets no permission', async () => {
    const friend = await preflight('https://app.example');
    expect(friend.status).toBe(204);
    expect(friend.headers.get('access-control-allow-origin')).toBe('https://app.example');
    expect(friend.headers.get('access-control-allow-headers')).toBe('content-type,authorization');
    expect(friend.headers.get('access-control-allow-credentials')).toBeNull();
    const stranger = await preflight('https://evil.example');
    expect(stranger.headers.get('access-control-allow-origin')).toBeNull();
    expect((await ask(door, '{ me }', { headers: { origin: 'https://evil.example' } })).headers.get('access-control-allow-origin')).toBeNull();
  });

  test('without JWT_SECRET a foreign name in Host is refused, so that a page cannot rebind its name to us', async () => {
    const status = (host: string, port = door.port) => new Promise<number | undefined>((resolve, reject) => {
      get({ host: '127.0.0.1', port, path: '/graphql?query=%7Bme%7D', headers: { host } }, (response) => { response.resume(); resolve(response.statusCode); }).on('error', reject);
    });
    for (const host of ['evil.example', 'localhost.evil.example:80', 'evil@localhost', 'localhost:80:80', 'localhost/evil']) expect(await status(host)).toBe(421);
    for (const host of ['LocalHost', 'localhost:', `127.0.0.1:${door.port}`, '[::1]:4000']) expect(await status(host)).toBe(200);
    expect(await status(`localhost:${door.port}`)).toBe(200);
    const guarded = await openDoor({ JWT_SECRET: 's'.repeat(32) });
    expect(await status('api.example', guarded.port)).toBe(200);
    await guarded.close(1_000);
  });

  test('every answer carries the security headers and a request id', async () => {
    for (const path of ['/graphql?query={me}', '/health/live', '/nothing', '/graphql']) {
      const { headers } = await fetch(`${door.url}${path}`);
      expect([path, headers.get('x-content-type-options'), headers.get('referrer-policy')]).toEqual([path, 'nosniff', 'no-referrer']);
      expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
      expect(headers.get('x-request-id')).toBeTruthy();
    }
  });

  test('routes come first, and what breaks in them is masked', async () => {
    const routed = await openDoor({}, {
      routes: [
        async (request, response) => { if (request.url === '/files/a') response.end('bytes'); return request.url === '/files/a'; },
        async (request) => { if (request.url === '/files/b') throw new Error('hunter2'); return false; },
      ],
    });
    expect(await (await fetch(`${routed.url}/files/a`)).text()).toBe('bytes');
    const broken = await fetch(`${routed.url}/files/b`);
    expect([broken.status, await broken.text()]).toEqual([500, expect.stringMatching(/^(?!.*hunter2)[\s\S]*INTERNAL/)]);
    expect((await fetch(`${routed.url}/elsewhere`)).status).toBe(404);
    await routed.close(1_000);
  });

  test('health names every component, and is 503 when one is not well', async () => {
    const state = { queue: true };
    const sick = await openDoor({}, { health: async () => ({ database: { ok: true }, queue: state.queue ? { ok: true } : { ok: false, detail: 'Redis does not answer' } }) });
    expect((await fetch(`${sick.url}/health/ready`)).status).toBe(200);
    state.queue = false;
    const response = await fetch(`${sick.url}/health/ready`);
    expect([response.status, await response.json()]).toEqual([503, { database: { ok: true }, queue: { ok: false, detail: 'Redis does not answer' } }]);
    expect((await fetch(`${sick.url}/health/live`)).status).toBe(200);
    await sick.close(1_000);
  });
});

describe('patience', () => {
  const closedBy = async (timeouts: object, lines: string, drip?: string) => {
    const hasty = await openDoor({}, { timeouts });
    const socket = connect(hasty.port, '127.0.0.1').on('error', () => {});
    let text = '';
    socket.on('data', (chunk) => { text += String(chunk); });
    socket.write(lines);
    const dripping = drip ? setInterval(() => socket.write(drip), 50) : undefined;
    await once(socket, 'close');
    clearInterval(dripping);
    await hasty.close(1_000);
    return text;
  };
  const head = 'POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n';

  test('headers that never end close the connection', async () => {
    expect(await closedBy({ headersMs: 300 }, 'POST /graphql HTTP/1.1\r\n', 'x: y\r\n')).toContain('408');
  });
  test('a body that drips close to nothing is ended, however long it would go on', async () => {
    expect(await closedBy({ bodyWindowMs: 300 }, head, 'x')).toContain('408');
  });
  test('a body that stops half-way is ended', async () => {
    expect(await closedBy({ bodyWindowMs: 300 }, `${head}{"query`)).toContain('408');
  });
});

describe('stop', () => {
  test('a running mutation is answered, and nobody new is let in', async () => {
    const stopping = await openDoor();
    const answer = ask(stopping, 'mutation { wait }');
    await until('a running mutation', () => stopping.state.credentials.length === 1);
    const closed = stopping.close(10_000);
    await until('a closed door', () => fetch(stopping.url).then(() => false, () => true));
    stopping.state.release();
    expect((await answer).body.data).toEqual({ wait: 'done' });
    await closed;
  });

  test('a mutation that does not end is cut off at the time limit', async () => {
    const stopping = await openDoor();
    const answer = ask(stopping, 'mutation { wait }').then(() => 'answered', () => 'cut');
    await until('a running mutation', () => stopping.state.credentials.length === 1);
    await stopping.close(100);
    expect(await answer).toBe('cut');
  });
});
