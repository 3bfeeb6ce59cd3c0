import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo, LookupFunction } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ProviderError } from '../src/errors.ts';
import { createGuard, isPublic } from '../src/http/guard.ts';
import { asProviderError, createOutward } from '../src/http/outward.ts';
import { until } from './until.ts';

/** What the world's name service says here; a list of lists is told one after the other. */
const names: Record<string, string[]> = {
  'private.test': ['10.1.2.3'],
  'loopback.test': ['127.0.0.1'],
  'mixed.test': ['93.184.215.14', '127.0.0.1'],
  'six.test': ['2606:2800:21f::1', '::1'],
  'metadata.google.internal': ['169.254.169.254'],
  localhost: ['127.0.0.1', '::1'],
  'localhost.': ['127.0.0.1'],
  'a.localhost': ['::1'],
  'nothing.test': [],
  'allowed.test': ['127.0.0.1'],
};
const told: string[] = [];
const resolve: LookupFunction = (hostname, options, answer) => {
  told.push(hostname);
  const found = names[hostname]?.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  process.nextTick(() => {
    if (!found) answer(Object.assign(new Error(`getaddrinfo ENOTFOUND ${hostname}`), { code: hostname === 'busy.test' ? 'EAI_AGAIN' : 'ENOTFOUND' }), '');
    else if (options.all) answer(null, found);
    else answer(null, found[0]!.address, found[0]!.family);
  });
};

const bytes = Buffer.from('a picture, let us say '.repeat(1_000));
const zeroes = Buffer.alloc(50_000_000);
const routes: Record<string, (request: IncomingMessage, response: ServerResponse) => void> = {
  '/cat.jpg': (_request, response) => void response.writeHead(200, { 'content-type': 'Image/JPEG; charset=x' }).end(bytes),
  '/named': (_request, response) => void response.writeHead(200, { 'content-disposition': `attachment; filename="old.jpg"; filename*=UTF-8''K%C3%A4tzchen.jpg` }).end(bytes),
  '/gzip': (_request, response) => void response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(bytes)),
  '/deflate': (_request, response) => void response.writeHead(200, { 'content-encoding': 'deflate' }).end(deflateSync(bytes)),
  '/brotli': (_request, response) => void response.writeHead(200, { 'content-encoding': 'br' }).end(brotliCompressSync(bytes)),
  '/bomb': (_request, response) => void response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(zeroes)),
  '/broken-gzip': (_request, response) => void response.writeHead(200, { 'content-encoding': 'gzip' }).end('not at all'),
  '/twice': (_request, response) => void response.writeHead(200, { 'content-encoding': 'gzip, gzip' }).end(gzipSync(gzipSync(bytes))),
  '/endless': (_request, response) => { const more = () => { while (response.writable && response.write(bytes)); }; response.on('drain', more); more(); },
  '/announced': (_request, response) => void response.writeHead(200, { 'content-length': 2_000_000_000 }).flushHeaders(),
  '/half': (_request, response) => { response.writeHead(200, { 'content-length': bytes.length }); response.write(bytes.subarray(0, 100), () => response.destroy()); },
  '/stall': (_request, response) => void response.write(bytes),
  '/silent': () => {},
  '/drip': (_request, response) => { const timer = setInterval(() => response.write('.'), 20); response.on('close', () => clearInterval(timer)); },
  '/missing': (_request, response) => void response.writeHead(404).end('secret of the other side'),
  '/to-metadata': redirect(() => 'http://169.254.169.254/latest/meta-data'),
  '/to-port': redirect(() => 'http://127.0.0.1:1/'),
  '/to-name': redirect(() => `http://loopback.test:${port}/cat.jpg`),
  '/to-file': redirect(() => 'file:///etc/passwd'),
  '/to-garbage': redirect(() => 'http://[::'),
  '/loop': redirect(() => '/loop'),
  '/hop/5': redirect(() => '/hop/4'), '/hop/4': redirect(() => '/hop/3'), '/hop/3': redirect(() => '/hop/2'), '/hop/2': redirect(() => '/hop/1'), '/hop/1': redirect(() => '/cat.jpg'),
  '/hop/6': redirect(() => '/hop/5'),
  '/echo': (request, response) => void request.pipe(response.writeHead(201, { 'x-got': String(request.headers['x-event']) })),
};
function redirect(to: () => string) {
  return (_request: IncomingMessage, response: ServerResponse) => void response.writeHead(302, { location: to() }).end('over there');
}

let port: number;
let connections = 0;
const seen: IncomingMessage[] = [];
const server = createServer((request, response) => { seen.push(request); routes[request.url!]?.(request, response); }).on('connection', () => connections++);
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'darkroom-outward-'));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  ({ port } = server.address() as AddressInfo);
});
afterAll(async () => {
  server.close().closeAllConnections();
  await rm(folder, { recursive: true });
});

/** A way out that knows this server's port as a usual one; `allowed.test` and nothing else may be private. */
const outward = (stallMs = 10_000) => createOutward(createGuard({ allowedHosts: [`allowed.test:${port}`], ports: [80, 443, port], resolve }), { stallMs });
async function download(url: string, { maxBytes = 100_000, timeoutMs = 20_000, stallMs = 10_000, signal = new AbortController().signal } = {}) {
  const path = join(folder, randomUUID());
  const outcome = await outward(stallMs).download(url, { path, maxBytes, timeoutMs, signal }).catch((error: unknown) => error as { code: string; message: string });
  if ('code' in outcome) expect(existsSync(path), 'a failed download leaves no file').toBe(false);
  return { path, outcome };
}
const from = (path: string) => `http://allowed.test:${port}${path}`;

describe('a URL from outside does not lead inside', () => {
  const refused: [string, string[]][] = [
    ['loopback in every spelling', ['127.0.0.1', '127.1', '2130706433', '0x7f000001', '0177.0.0.1', '0.0.0.0']],
    ['digits that only look different', ['127。0。0。1', '①②⑦.⓪.⓪.①']],
    ['IPv6 loopback, and IPv4 inside IPv6', ['[::1]', '[::]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[::7f00:1]']],
    ['tunnels to IPv4', ['[64:ff9b::7f00:1]', '[64:ff9b:1::7f00:1]', '[2002:7f00:1::]', '[2001::1]']],
    ['private networks', ['10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', '[fe80::1]', '[fd00:ec2::254]', '[fec0::1]']],
    ['what clouds tell their machines', ['169.254.169.254', '100.100.100.200', 'metadata.google.internal']],
    ['everybody and nobody', ['255.255.255.255', '224.0.0.1', '240.0.0.1', '192.0.2.1', '[ff02::1]', '[2001:db8::1]']],
    ['localhost by name', ['localhost', 'localhost.', 'a.localhost', 'LOCALHOST']],
    ['a name with a private address', ['private.test', 'loopback.test']],
    ['a name with one private address among others', ['mixed.test', 'six.test']],
    ['a name that nobody has', ['nobody.test', 'nothing.test']],
  ];
  test.each(refused)('%s', async (_name, hosts) => {
    const before = connections;
    for (const host of hosts) {
      const { outcome } = await download(`http://${host}:${port}/cat.jpg`);
      expect(outcome, host).toMatchObject({ code: 'URL_REFUSED', message: expect.stringMatching(/^Expected a URL whose host has addresses on the internet, and only such, but received [^ ]+$/) });
    }
    expect(connections).toBe(before);
  });

  test.each([
    ['file:///etc/passwd', 'http:// or https://'], ['gopher://127.0.0.1/', 'http:// or https://'], ['data:text/plain,hello', 'http:// or https://'], ['ftp://example.org/', 'http:// or https://'],
    ['http://user:pw@example.org/', 'without a user name'], ['http://user@example.org/', 'without a user name'],
    ['http://example.org:6379/', 'a usual port (80, 443'], ['garbage', 'a URL such as'], ['http://', 'a URL such as'], ['//example.org/', 'a URL such as'], ['http://example.org/a\0b', 'a URL such as'], ['http://exam\nple.org/', 'a URL such as'],
  ])('%j is refused before a name is looked up', async (url, sentence) => {
    told.length = 0;
    const { outcome } = await download(url);
    expect(outcome).toMatchObject({ code: 'URL_REFUSED', message: expect.stringContaining(sentence) });
    expect(JSON.stringify(outcome)).not.toContain(':pw');
    expect(told).toEqual([]);
  });

  test('a refusal tells nothing of where a name leads: a private name, a public name with a private address and no name at all read the same', async () => {
    const sentences = await Promise.all(['private.test', 'mixed.test', 'nobody.test'].map(async (host) => ((await download(`http://${host}/`)).outcome as { message: string }).message.replace(host, 'HOST')));
    expect(new Set(sentences).size).toBe(1);
  });

  test('a name that changes its answer is judged at each connection, by the very answer that the socket gets', async () => {
    const answers = [['93.184.215.14'], ['127.0.0.1']];
    names['rebinding.test'] = answers[0]!;
    const lookup = createGuard({ resolve }).lookupFor(new URL('http://rebinding.test/'));
    const ask = (all: boolean) => new Promise((settle) => lookup('rebinding.test', { all }, (error, address) => settle(error ?? address)));
    expect(await ask(true)).toEqual([{ address: '93.184.215.14', family: 4 }]);
    expect(await ask(false)).toBe('93.184.215.14');
    names['rebinding.test'] = answers[1]!;
    expect(await ask(true)).toMatchObject({ code: 'URL_REFUSED' });
    expect(await ask(false)).toMatchObject({ code: 'URL_REFUSED' });
    const before = connections;
    told.length = 0;
    expect((await download(`http://rebinding.test:${port}/cat.jpg`)).outcome).toMatchObject({ code: 'URL_REFUSED' });
    expect([told, connections]).toEqual([['rebinding.test'], before]);
  });

  test.each([
    ['/to-metadata', { code: 'URL_REFUSED', message: expect.stringContaining('addresses on the internet') }],
    ['/to-port', { code: 'URL_REFUSED', message: expect.stringContaining('usual port') }],
    ['/to-name', { code: 'URL_REFUSED', message: expect.stringContaining('addresses on the internet') }],
    ['/to-file', { code: 'URL_REFUSED', message: expect.stringContaining('http:// or https://') }],
    ['/to-garbage', { code: 'URL_REFUSED', message: expect.stringContaining('a URL such as') }],
    ['/loop', { code: 'URL_REFUSED', message: expect.stringContaining('at most 5 redirects') }],
    ['/hop/6', { code: 'URL_REFUSED', message: expect.stringContaining('at most 5 redirects') }],
  ])('a redirect %s is judged like a URL', async (path, expected) => {
    expect((await download(from(path))).outcome).toMatchObject(expected);
  });

  test('what stands on the internet is public', () => {
    expect(['93.184.215.14', '8.8.8.8', '2606:4700::1111', '::ffff:8.8.8.8'].map(isPublic)).toEqual([true, true, true, true]);
    expect(['', 'example.org', '1.2.3', '::1%lo'].map(isPublic)).toEqual([false, false, false, false]);
  });

  test('an allowed host is allowed at its port, and at the usual ones when none is named', () => {
    const { check } = createGuard({ allowedHosts: ['10.0.0.7:9000', 'Files.Internal', '[::1]:8080'] });
    for (const url of ['http://10.0.0.7:9000/a', 'http://files.internal/', 'https://FILES.internal/', 'http://[0:0::1]:8080/']) expect(check(url).href).toBeTruthy();
    for (const url of ['http://10.0.0.7/a', 'http://files.internal:9000/', 'http://[::1]/']) expect(() => check(url)).toThrow(/^Expected a URL/);
  });
});

describe('what a URL names comes as a file', () => {
  test('with its size, hash, type and name, and no credential goes out', async () => {
    const { path, outcome } = await download(from('/cat.jpg'));
    expect(outcome).toEqual({ byteSize: bytes.length, sha256: expect.stringMatching(/^[0-9a-f]{64}$/), contentType: 'image/jpeg', filename: 'cat.jpg' });
    expect(await readFile(path)).toEqual(bytes);
    expect(seen.at(-1)!.headers).toEqual({ host: `allowed.test:${port}`, accept: '*/*', 'accept-encoding': 'identity', 'user-agent': 'Darkroom', connection: 'close' });
  });

  test('under the name that the answer gives, from the end of five redirects', async () => {
    expect((await download(from('/named'))).outcome).toMatchObject({ filename: 'Kätzchen.jpg', contentType: 'application/octet-stream' });
    expect((await download(from('/hop/5'))).outcome).toMatchObject({ filename: 'cat.jpg', byteSize: bytes.length });
  });

  test.each(['/gzip', '/deflate', '/brotli'])('unpacked where the other side packs it all the same: %s', async (path) => {
    const { path: file } = await download(from(path));
    expect(await readFile(file)).toEqual(bytes);
  });

  test.each([
    ['/endless', { code: 'TOO_LARGE' }],
    ['/bomb', { code: 'TOO_LARGE', message: 'Expected a file of at most 100 KB behind the URL but it has more' }],
    ['/announced', { code: 'TOO_LARGE' }],
    ['/broken-gzip', { code: 'URL_UNREACHABLE', message: expect.stringContaining('Z_DATA_ERROR') }],
    ['/twice', { code: 'URL_REFUSED', message: expect.stringContaining('the coding "gzip, gzip"') }],
    ['/half', { code: 'URL_UNREACHABLE', message: expect.stringContaining('broke off') }],
    ['/missing', { code: 'URL_UNREACHABLE', message: expect.stringMatching(/status 404$/) }],
  ])('or not at all: %s', async (path, expected) => {
    expect((await download(from(path))).outcome).toMatchObject(expected);
  });

  test.each(['/stall', '/silent'])('one that goes quiet is given up: %s', async (path) => {
    expect((await download(from(path), { stallMs: 100 })).outcome).toMatchObject({ code: 'URL_UNREACHABLE', message: expect.stringContaining('sent nothing for 0.1 s') });
  });

  test('one that never goes quiet ends with its time', async () => {
    expect((await download(from('/drip'), { timeoutMs: 300, stallMs: 200 })).outcome).toMatchObject({ code: 'URL_UNREACHABLE', message: expect.stringContaining('within 0.3 s') });
  });

  test('whoever aborts gets his own reason, and the connection is closed', async () => {
    const stop = new AbortController();
    const running = download(from('/drip'), { signal: stop.signal });
    await until('the request is there', () => seen.at(-1)?.url === '/drip' && !seen.at(-1)!.destroyed);
    const request = seen.at(-1)!;
    const reason = Object.assign(new Error('enough'), { code: 'MINE' });
    stop.abort(reason);
    expect((await running).outcome).toBe(reason);
    await until('the connection is closed', () => request.destroyed);
  });

  test('a name service that is busy and a server that is down may be asked again; a file that is there already is our own fault', async () => {
    expect((await download('http://busy.test/')).outcome).toMatchObject({ code: 'URL_UNREACHABLE', message: expect.stringContaining('EAI_AGAIN') });
    const down = createOutward(createGuard({ allowedHosts: ['127.0.0.1:1'] }));
    const failure: unknown = await down.download('http://127.0.0.1:1/', { path: join(folder, 'down'), maxBytes: 1, timeoutMs: 5_000, signal: new AbortController().signal }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'URL_UNREACHABLE', message: expect.stringContaining('ECONNREFUSED') });
    expect(asProviderError('fal', failure)).toBeInstanceOf(ProviderError);
    expect(asProviderError('fal', failure)).toMatchObject({ code: 'PROVIDER_ERROR', retryable: true, message: expect.stringContaining('fal') });
    expect(asProviderError('fal', (await download('http://10.0.0.1/')).outcome)).toMatchObject({ retryable: false });
    const { path } = await download(from('/cat.jpg'));
    const twice = outward().download(from('/cat.jpg'), { path, maxBytes: 100_000, timeoutMs: 5_000, signal: new AbortController().signal });
    await expect(twice).rejects.toMatchObject({ code: 'EEXIST' });
    expect(await readFile(path)).toEqual(bytes);
  });
});

describe('a small body is sent', () => {
  const post = (url: string, body = '{"hello": "wörld"}') => outward().post(url, { headers: { 'content-type': 'application/json', 'x-event': 'job' }, body, timeoutMs: 5_000, signal: new AbortController().signal });

  test('and the answer comes back whatever its status, 64 KB of it', async () => {
    expect(await post(from('/echo'))).toEqual({ status: 201, text: '{"hello": "wörld"}' });
    expect(seen.at(-1)!.headers).toMatchObject({ 'content-length': '19', 'content-type': 'application/json', 'x-event': 'job' });
    expect(await post(from('/missing'))).toMatchObject({ status: 404 });
    expect((await post(from('/endless'))).text).toHaveLength(64_000);
  });

  test('nowhere inside, and along no redirect', async () => {
    expect(await post(from('/to-name'))).toEqual({ status: 302, text: 'over there' });
    await expect(post(`http://loopback.test:${port}/echo`)).rejects.toMatchObject({ code: 'URL_REFUSED' });
    await expect(post(`http://127.0.0.1:${port}/echo`)).rejects.toMatchObject({ code: 'URL_REFUSED' });
  });
});
