import { connect, Socket } from 'node:net';
import { once } from 'node:events';
import { createClient as createSseClient } from 'graphql-sse';
import { createClient, type ClientOptions } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { ask, openDoor, type Door } from './fixtures/front-door.ts';
import { until } from './until.ts';

let door: Door;
beforeAll(async () => { door = await openDoor({ CORS_ORIGINS: 'https://app.example' }); });
afterAll(() => door.close(1_000));

const open = (options: Partial<ClientOptions> = {}, at = door) => createClient({ url: at.socketUrl, webSocketImpl: WebSocket, retryAttempts: 0, ...options });
const nobodyListens = (at = door) => until('no subscription', () => at.state.ticking === 0 || at.state.ticking);

async function all(results: AsyncIterable<unknown>): Promise<unknown[]> {
  const seen = [];
  for await (const result of results) seen.push(result);
  return seen;
}
const fault = (code: string) => [expect.objectContaining({ message: expect.any(String), extensions: { code } })];

/** A socket spoken by hand. */
async function raw(options: { origin?: string; acknowledged?: boolean } = {}, at = door) {
  const socket = new WebSocket(at.socketUrl, 'graphql-transport-ws', { origin: options.origin });
  socket.on('error', () => {});
  const messages: { type: string; id?: string; payload?: unknown }[] = [];
  socket.on('message', (data) => messages.push(JSON.parse(String(data))));
  await new Promise((resolve) => socket.once('open', resolve).once('close', resolve));
  const send = (message: object) => socket.send(JSON.stringify(message));
  if (options.acknowledged) {
    send({ type: 'connection_init' });
    await until('an acknowledgement', () => messages[0]?.type === 'connection_ack');
  }
  return { socket, messages, send };
}
const closing = async (socket: WebSocket) => {
  const [code, reason] = await once(socket, 'close');
  return [code, String(reason)];
};

describe('graphql-ws', () => {
  test('queries, mutations and subscriptions run on one socket, whose viewer is asked for once', async () => {
    const before = door.state.credentials.length;
    const client = open({ connectionParams: { Authorization: 'Bearer anna' } });
    expect(await all(client.iterate({ query: '{ me }' }))).toEqual([{ data: { me: 'anna' } }]);
    expect(await all(client.iterate({ query: 'subscription { tick(count: 2) }' }))).toEqual([{ data: { tick: '1' } }, { data: { tick: '2' } }]);
    await client.dispose();
    expect(door.state.credentials.slice(before).map(({ authorization, transport }) => [authorization, transport])).toContainEqual(['Bearer anna', 'websocket']);
  });

  test('a refused token closes the socket with 4403 and the reason', async () => {
    const { socket, send } = await raw();
    send({ type: 'connection_init', payload: { authorization: 'Bearer bad' } });
    expect(await closing(socket)).toEqual([4403, 'Expected a valid token but received one that nobody signed']);
  });

  test('a context that breaks closes with a code after which clients come again, and masks why', async () => {
    const { socket, send } = await raw();
    send({ type: 'connection_init', payload: { authorization: 'Bearer broken' } });
    expect(await closing(socket)).toEqual([1013, expect.not.stringContaining('hunter2')]);
  });

  test('what is wrong with one operation is its own error; the socket and the others go on', async () => {
    const { socket, messages, send } = await raw({ acknowledged: true });
    const queries = { syntax: '{ me', field: '{ them }', cost: `{${'a{'.repeat(5_000)}`, refused: 'subscription { refuses }', broken: '{ broken }', breaks: 'subscription { breaks }', good: '{ me }' };
    for (const [id, query] of Object.entries(queries)) send({ type: 'subscribe', id, payload: { query } });
    await until('every answer', () => Object.keys(queries).every((id) => messages.some((message) => message.id === id && ['error', 'complete'].includes(message.type))) || messages);
    const of = (id: string) => messages.filter((message) => message.id === id).map(({ type, payload }) => ({ type, payload }));
    expect(of('syntax')).toEqual([{ type: 'error', payload: fault('INVALID_INPUT') }]);
    expect(of('field')).toEqual([{ type: 'error', payload: fault('INVALID_INPUT') }]);
    expect(of('cost')).toEqual([{ type: 'error', payload: fault('QUERY_TOO_COSTLY') }]);
    expect(of('refused')[0]?.payload).toMatchObject({ errors: fault('NOT_FOUND') });
    expect(of('broken')[0]?.payload).toMatchObject({ errors: fault('INTERNAL') });
    expect(of('breaks').map(({ type, payload }) => [type, payload])).toEqual([['next', { data: { breaks: 'one' } }], ['error', fault('INTERNAL')]]);
    expect(of('good')[0]).toEqual({ type: 'next', payload: { data: { me: 'nobody' } } });
    expect(JSON.stringify(messages)).not.toContain('hunter2');
    expect(socket.readyState).toBe(WebSocket.OPEN);
    socket.close();
  });

  test('at most 100 operations run on one socket', async () => {
    const { socket, messages, send } = await raw({ acknowledged: true });
    for (let id = 0; id < 101; id += 1) send({ type: 'subscribe', id: String(id), payload: { query: 'subscription { tick(count: 0) }' } });
    await until('a refusal', () => messages.some(({ type }) => type === 'error'));
    expect(messages.filter(({ type }) => type === 'error')).toEqual([{ type: 'error', id: '100', payload: fault('RATE_LIMITED') }]);
    expect(socket.readyState).toBe(WebSocket.OPEN);
    socket.terminate();
    await nobodyListens();
  });

  test('completing a subscription, or going away without a word, frees it', async () => {
    const { socket, messages, send } = await raw({ acknowledged: true });
    send({ type: 'subscribe', id: 'a', payload: { query: 'subscription { tick(count: 0) }' } });
    await until('an event', () => messages.some(({ type }) => type === 'next'));
    send({ type: 'complete', id: 'a' });
    await nobodyListens();
    send({ type: 'subscribe', id: 'b', payload: { query: 'subscription { tick(count: 0) }' } });
    await until('a subscription', () => door.state.ticking === 1);
    socket.terminate();
    await nobodyListens();
  });

  test('a socket of a foreign page is refused, one of ours and of CORS_ORIGINS is not', async () => {
    expect((await raw({ origin: 'https://evil.example' })).socket.readyState).not.toBe(WebSocket.OPEN);
    for (const origin of [door.url, 'https://app.example']) {
      const { socket } = await raw({ origin });
      expect(socket.readyState).toBe(WebSocket.OPEN);
      socket.close();
    }
  });

  test('a message over 256 KiB closes with 1009 before anybody parses it', async () => {
    const { socket, send } = await raw();
    send({ type: 'connection_init', payload: { text: 'x'.repeat(300_000) } });
    expect((await closing(socket))[0]).toBe(1009);
  });

  test('a socket that says nothing is closed with 4408', async () => {
    const hasty = await openDoor({}, { timeouts: { initMs: 200 } });
    const { socket } = await raw({}, hasty);
    expect((await closing(socket))[0]).toBe(4408);
    await hasty.close(1_000);
  });

  test.each([['no JSON', '{'], ['a subscription before the start', '{"type":"subscribe","id":"a","payload":{"query":"{ me }"}}'], ['a type that does not exist', '{"type":"shout"}']])('%s closes that socket only', async (_name, text) => {
    const { socket } = await raw();
    socket.send(text);
    expect((await closing(socket))[0]).toBeGreaterThanOrEqual(4400);
    expect((await ask(door, '{ me }')).status).toBe(200);
  });

  test('events that come together go out in one write', async () => {
    const { socket, messages, send } = await raw({ acknowledged: true });
    const write = vi.spyOn(Socket.prototype as Required<Socket>, '_writev');
    onTestFinished(() => write.mockRestore());
    send({ type: 'subscribe', id: 'a', payload: { query: 'subscription { tick(count: 50) }' } });
    await until('the end', () => messages.at(-1)?.type === 'complete' || messages.at(-1));
    const writes = (write.mock.contexts as Socket[]).filter((stream) => String(stream.localPort) === new URL(door.url).port);
    expect(messages.filter(({ type }) => type === 'next').map(({ payload }) => payload)).toEqual(Array.from({ length: 50 }, (_, n) => ({ data: { tick: String(n + 1) } })));
    expect(writes).not.toHaveLength(0);
    expect(writes.length).toBeLessThan(5);
    socket.close();
  });

  test('a slow reader bounds what is asked of its subscription', async () => {
    const { socket, messages, send } = await raw({ acknowledged: true });
    const before = door.state.ticksAsked;
    // The client stops reading; the system's buffers take some megabytes, and then nobody asks for more.
    socket.pause();
    send({ type: 'subscribe', id: 'a', payload: { query: 'subscription { tick(count: 2000, padding: 100000) }' } });
    let seen = -1;
    await until('a standstill', async () => {
      const asked = door.state.ticksAsked - before;
      const stands = asked > 0 && asked === seen;
      seen = asked;
      await new Promise((resolve) => setTimeout(resolve, 300));
      return stands || asked;
    });
    expect(seen).toBeLessThan(500);
    socket.resume();
    await until('every event', () => messages.filter(({ type }) => type === 'next').length === 2_000, 40_000);
    socket.close();
  });

  test('a socket ends with 4403 when its credential runs out', async () => {
    const brief = await openDoor();
    brief.state.expiresAt = new Date(Date.now() + 300);
    const { socket } = await raw({ acknowledged: true }, brief);
    expect(await closing(socket)).toEqual([4403, 'The credential has expired']);
    await brief.close(1_000);
  });

  test('a stopping server sends its sockets away with 1001, after the mutations on them are answered', async () => {
    const stopping = await openDoor();
    const { socket, messages, send } = await raw({ acknowledged: true }, stopping);
    send({ type: 'subscribe', id: 'm', payload: { query: 'mutation { wait }' } });
    send({ type: 'subscribe', id: 's', payload: { query: 'subscription { tick(count: 0) }' } });
    await until('a subscription', () => stopping.state.ticking === 1);
    const end = closing(socket);
    const closed = stopping.close(10_000);
    stopping.state.release();
    expect(await end).toEqual([1001, 'The server is stopping']);
    expect(messages).toContainEqual({ type: 'next', id: 'm', payload: { data: { wait: 'done' } } });
    // A complete would tell the client that there is nothing more to come: it must come again instead.
    expect(messages).not.toContainEqual(expect.objectContaining({ type: 'complete', id: 's' }));
    await closed;
    await nobodyListens(stopping);
  });

  test('an upgrade that is no upgrade, or goes elsewhere, is answered and closed', async () => {
    for (const path of ['/elsewhere', '/graphql']) {
      const socket = connect(door.port, '127.0.0.1').on('error', () => {});
      socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`);
      const [answer] = await once(socket, 'data');
      expect(String(answer)).toMatch(/^HTTP\/1.1 4\d\d/);
      socket.destroy();
    }
  });
});

describe('server-sent events', () => {
  const client = (at = door, options = {}) => createSseClient({ url: at.endpoint, retryAttempts: 0, ...options });

  test('graphql-sse subscribes at the same address, with its token in a header', async () => {
    const sse = client(door, { headers: { authorization: 'Bearer anna' } });
    expect(await all(sse.iterate({ query: 'subscription { tick(count: 2) }' }))).toEqual([{ data: { tick: '1' } }, { data: { tick: '2' } }]);
    expect(await all(sse.iterate({ query: '{ me }' }))).toEqual([{ data: { me: 'anna' } }]);
  });

  test('an error of a subscription is masked on the stream', async () => {
    const seen = await all(client().iterate({ query: 'subscription { breaks }' }));
    expect(seen).toEqual([{ data: { breaks: 'one' } }, { errors: [expect.objectContaining({ message: expect.stringContaining('request id'), extensions: { code: 'INTERNAL' } })] }]);
  });

  test('a reader that leaves frees its subscription', async () => {
    const response = await fetch(door.endpoint, { method: 'POST', headers: { 'content-type': 'application/json', accept: 'text/event-stream' }, body: '{"query":"subscription { tick(count: 0) }"}' });
    const reader = response.body?.getReader();
    await reader?.read();
    expect(door.state.ticking).toBe(1);
    await reader?.cancel();
    await nobodyListens();
  });

  test('a stopping server cuts the stream without a complete, so that clients come again', async () => {
    const stopping = await openDoor();
    const response = await fetch(stopping.endpoint, { method: 'POST', headers: { 'content-type': 'application/json', accept: 'text/event-stream' }, body: '{"query":"subscription { tick(count: 0) }"}' });
    const text = response.text().catch(() => 'cut');
    await until('a subscription', () => stopping.state.ticking === 1);
    await stopping.close(5_000);
    expect(await text).toBe('cut');
    await nobodyListens(stopping);
  });

  test.each(['text/event-stream', 'TEXT/EVENT-STREAM', '*/*', 'text/*'])('a stream for a client that accepts %s ends when its credential runs out or is revoked, and when the server stops', async (accept) => {
    let revoke = (_reason: string) => {};
    let watching = 0;
    const brief = await openDoor({}, {
      watch: (_visitor, end) => {
        [revoke, watching] = [end, watching + 1];
        return () => { watching -= 1; };
      },
    });
    const stream = async () => {
      const response = await fetch(brief.endpoint, { method: 'POST', headers: { 'content-type': 'application/json', accept }, body: '{"query":"subscription { tick(count: 0) }"}' });
      expect(response.headers.get('content-type')).toBe('text/event-stream');
      return response.text().catch(() => 'cut');
    };
    brief.state.expiresAt = new Date(Date.now() + 300);
    expect(await stream()).toBe('cut');
    await until('no watch', () => watching === 0);

    brief.state.expiresAt = undefined;
    const revoked = stream();
    await until('a watch', () => watching === 1);
    revoke('The API key was revoked');
    expect(await revoked).toBe('cut');
    await until('no watch', () => watching === 0);

    const stopped = stream();
    await until('a subscription', () => watching === 1 && brief.state.ticking === 1);
    await brief.close(30_000);
    expect(await stopped).toBe('cut');
    await until('no watch', () => watching === 0);
  }, 20_000);
});
