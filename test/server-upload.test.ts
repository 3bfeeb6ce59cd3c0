import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDoor, type Door } from './fixtures/front-door.ts';
import { until } from './until.ts';

let door: Door;
beforeAll(async () => { door = await openDoor({ UPLOAD_MAX_FILES: '5' }); });
afterAll(() => door.close(1_000));

const query = 'mutation ($files: [File]!) { upload(files: $files) { filename byteSize sha256 tooLarge head onDisk } }';
const csrf = { 'x-graphql-yoga-csrf': '1' };
type Answer = { data?: { upload: ({ filename: string; byteSize: number; sha256: string; tooLarge: boolean; head: string; onDisk: number } | null)[] }; errors?: { message: string; extensions: { code: string } }[] };

function form(files: (File | string)[], map: object = Object.fromEntries(files.map((_, index) => [index, [`variables.files.${index}`]])), operations: unknown = { query, variables: { files: files.map(() => null) } }): FormData {
  const body = new FormData();
  body.set('operations', JSON.stringify(operations));
  body.set('map', JSON.stringify(map));
  files.forEach((file, index) => body.append(String(index), file));
  return body;
}
const send = (body: FormData, headers: Record<string, string> = csrf) => fetch(door.endpoint, { method: 'POST', body, headers });
const bytes = (size: number, fill = 7) => new Uint8Array(size).fill(fill);
const nothingIsSpooled = () => until('an empty spool', async () => (await door.spooled()).length === 0 || (await door.spooled()));

/** A body written by hand, for what no client would send. */
const raw = (body: string | Buffer, headers: Record<string, string> = {}) =>
  fetch(door.endpoint, { method: 'POST', body: new Uint8Array(Buffer.from(body)), headers: { ...csrf, 'content-type': 'multipart/form-data; boundary=x', ...headers } });
const part = (name: string, text: string, filename?: string) =>
  `--x\r\nContent-Disposition: form-data; name="${name}"${filename === undefined ? '' : `; filename="${filename}"`}\r\n\r\n${text}\r\n`;
const operations = part('operations', JSON.stringify({ query, variables: { files: [null] } }));
const map = part('map', '{"0":["variables.files.0"]}');

test('a resolver gets every file with its name, size, SHA-256 and first bytes, and the files are gone after the answer', async () => {
  const content = Buffer.from('picture '.repeat(20_000));
  const response = await send(form([new File([content], 'señor 🐟.png'), new File([], 'empty.png'), new File([bytes(10)], '../../etc/pass\u202ewd')]));
  const { data, errors } = (await response.json()) as Answer;
  expect(errors).toBeUndefined();
  expect(data?.upload[0]).toMatchObject({ filename: 'señor 🐟.png', byteSize: content.length, onDisk: content.length, tooLarge: false, sha256: createHash('sha256').update(content).digest('hex'), head: content.subarray(0, 4_100).toString() });
  expect(data?.upload[1]).toMatchObject({ filename: 'empty.png', byteSize: 0, onDisk: 0 });
  expect(data?.upload[2]).toMatchObject({ filename: 'passwd', byteSize: 10 });
  await nothingIsSpooled();
});

test('a file over the limit is marked and cut on disk, and its neighbours arrive whole', async () => {
  const response = await send(form([new File([bytes(10)], 'a'), new File([bytes(3_000_000)], 'b'), new File([bytes(20)], 'c'), new File([bytes(1_000_000)], 'd')]));
  const { data } = (await response.json()) as Answer;
  expect(data?.upload.map((file) => [file?.tooLarge, file?.byteSize, file?.onDisk])).toEqual([[false, 10, 10], [true, 3_000_000, 1_000_000], [false, 20, 20], [false, 1_000_000, 1_000_000]]);
});

test('one part may stand in two places', async () => {
  const response = await send(form([new File([bytes(5)], 'a')], { 0: ['variables.files.0', 'variables.files.1'] }, { query, variables: { files: [null, null] } }));
  expect(((await response.json()) as Answer).data?.upload.map((file) => file?.byteSize)).toEqual([5, 5]);
});

test('more files than allowed are refused whole, with the limit and the number that came', async () => {
  const response = await send(form(Array.from({ length: 6 }, (_, index) => new File([bytes(3)], String(index)))));
  expect(response.status).toBe(413);
  expect(((await response.json()) as Answer).errors?.[0]).toMatchObject({ message: expect.stringMatching(/at most 5 files.*received 6/), extensions: { code: 'TOO_MANY_FILES' } });
});

test('a request over the sum of all limits is refused by its header, and without one when the bytes have come', async () => {
  const head = Buffer.from(operations + map + part('0', '', 'big').slice(0, -2));
  const body = Readable.toWeb(Readable.from((async function* () { yield head; for (;;) yield bytes(500_000); })()));
  const answer = await fetch(door.endpoint, { method: 'POST', body, duplex: 'half', headers: { ...csrf, 'content-type': 'multipart/form-data; boundary=x' } } as RequestInit);
  expect(answer.status).toBe(413);
  await nothingIsSpooled();

  const { status, text } = await new Promise<{ status?: number; text: string }>((resolve, reject) => {
    const lying = httpRequest(door.endpoint, { method: 'POST', headers: { ...csrf, 'content-type': 'multipart/form-data; boundary=x', 'content-length': 100_000_000 } }, (answer) => {
      let seen = '';
      answer.on('data', (chunk) => { seen += String(chunk); }).on('end', () => { resolve({ status: answer.statusCode, text: seen }); lying.destroy(); });
    }).on('error', reject);
    lying.flushHeaders();
  });
  expect(status).toBe(413);
  expect(text).toContain('TOO_LARGE');
});

test.each([
  ['operations null', part('operations', 'null') + map],
  ['operations a list', part('operations', '[]') + map],
  ['operations not JSON', part('operations', '{') + map],
  ['no operations', map],
  ['no map', `${operations}--x--\r\n`],
  ['map null', operations + part('map', 'null')],
  ['map with a number', operations + part('map', '{"0":[1]}')],
  ['map with a path to nowhere', operations + part('map', '{"0":["variables.nothing"]}')],
  ['map with a path into a prototype', operations + part('map', '{"0":["variables.__proto__.polluted"]}')],
  ['map with a path over the query', operations + part('map', '{"0":["query"]}')],
  ['map before operations', map + operations],
  ['a file before map', operations + part('0', 'bytes', 'a.png') + map],
  ['a file that map does not name', operations + map + part('1', 'bytes', 'a.png')],
  ['a file twice', operations + map + part('0', 'bytes', 'a.png') + part('0', 'bytes', 'a.png')],
  ['a text where map names a file', `${operations}${map}${part('0', 'bytes')}--x--\r\n`],
  ['a file that map names but never comes', `${operations}${map}--x--\r\n`],
  ['an end inside a file', `${operations}${map}${part('0', 'by', 'a.png').slice(0, -2)}`],
  ['an end inside a header', `${operations}${map}--x\r\nContent-Dispo`],
  ['a text without a name', part('operations', '{}').replace('; name="operations"', '')],
  ['a file without a name', operations + map + part('0', 'bytes', 'a.png').replace('; name="0"', '')],
  ['10,000 parts', operations + map + part('0', 'bytes', 'a.png') + part('0', 'x').repeat(10_000)],
  ['a name of a megabyte', operations + map + part('n'.repeat(1_000_000), 'bytes', 'a.png')],
  ['an empty body', ''],
  ['no multipart at all', 'hello'],
])('malformed multipart is the client\'s fault, in a sentence: %s', async (_name, body) => {
  const response = await raw(body);
  expect(response.status).toBe(400);
  expect(((await response.json()) as Answer).errors?.[0]).toMatchObject({ message: expect.stringMatching(/^Expected .+/), extensions: { code: 'INVALID_INPUT' } });
  await nothingIsSpooled();
});

test('a missing boundary is the client\'s fault', async () => {
  const response = await raw('hello', { 'content-type': 'multipart/form-data' });
  expect(response.status).toBe(400);
  expect(((await response.json()) as Answer).errors?.[0]?.message).toMatch(/boundary/);
});

test('an operations field of two megabytes is too large', async () => {
  const response = await raw(part('operations', JSON.stringify({ query: ' '.repeat(2_000_000) })) + map);
  expect(response.status).toBe(413);
});

test('nobody without a good credential gets a byte onto the disk', async () => {
  await nothingIsSpooled();
  const response = await send(form([new File([bytes(100_000)], 'a')]), { ...csrf, authorization: 'Bearer bad' });
  expect(response.status).toBe(401);
  expect(((await response.json()) as Answer).errors?.[0]?.extensions.code).toBe('UNAUTHENTICATED');
  expect(await door.spooled()).toEqual([]);
});

test('a form without one of the three headers is refused, since a foreign page could have sent it', async () => {
  const response = await send(form([new File([bytes(3)], 'a')]), {});
  expect(response.status).toBe(403);
  expect(((await response.json()) as Answer).errors?.[0]).toMatchObject({ message: expect.stringContaining('x-graphql-yoga-csrf'), extensions: { code: 'FORBIDDEN' } });
});

test('a client that hangs up inside a file leaves nothing behind', async () => {
  const socket = connect(door.port, '127.0.0.1');
  socket.write(`POST /graphql HTTP/1.1\r\nHost: localhost\r\nx-graphql-yoga-csrf: 1\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 500000\r\n\r\n${operations}${map}${part('0', 'half a picture', 'a.png')}`);
  await until('a spool folder', async () => (await door.spooled()).length === 1);
  socket.destroy();
  await nothingIsSpooled();
});

test('a client that hangs up before its viewer is known leaves nothing behind', async () => {
  const before = door.state.credentials.length;
  const socket = connect(door.port, '127.0.0.1');
  socket.write(`POST /graphql HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer slow\r\nx-graphql-yoga-csrf: 1\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 500000\r\n\r\n${operations}`);
  await until('a question for the viewer', () => door.state.credentials.length > before);
  const answered = () => door.logText().split('Answered a request').length;
  const answers = answered();
  socket.destroy();
  await until('a closed request', () => answered() > answers);
  door.state.release();
  // By the time a whole further upload is through, the first one's folder would be there.
  await send(form([new File([bytes(3)], 'a')]));
  await nothingIsSpooled();
});

test('a new process removes what a dead one left, and leaves alone what a living one uses', async () => {
  const spool = join(door.folder, 'spool', 'requests');
  const dead = join(spool, `${hostname()}.999999.left`);
  const alive = join(spool, `${hostname()}.${process.ppid}.used`);
  const elsewhere = join(spool, 'another.host.1.used');
  for (const folder of [dead, alive, elsewhere]) await mkdir(folder).then(() => writeFile(join(folder, '0'), 'bytes'));
  const second = await openDoor({ DATA_DIR: door.folder });
  expect((await door.spooled()).sort()).toEqual([`${hostname()}.${process.ppid}.used`, 'another.host.1.used'].sort());
  await second.close(1_000);
});

test('25 files of 10 MB add less than 64 MB of memory', async () => {
  const wide = await openDoor({ UPLOAD_MAX_BYTES: '25MB' });
  const files = 25;
  const size = 10_000_000;
  // The body is made of one small piece again and again, so that only the server can make memory grow.
  const piece = bytes(50_000);
  const head = Buffer.from(part('operations', JSON.stringify({ query, variables: { files: Array(files).fill(null) } })) + part('map', JSON.stringify(Object.fromEntries(Array.from({ length: files }, (_, index) => [index, [`variables.files.${index}`]])))));
  async function* body() {
    yield head;
    for (let index = 0; index < files; index += 1) {
      yield Buffer.from(part(String(index), '', `${index}.png`).slice(0, -2));
      for (let sent = 0; sent < size; sent += piece.length) yield piece;
      yield Buffer.from('\r\n');
    }
    yield Buffer.from('--x--\r\n');
  }
  const before = process.memoryUsage.rss();
  let peak = before;
  const watch = setInterval(() => { peak = Math.max(peak, process.memoryUsage.rss()); }, 5);
  const response = await fetch(wide.endpoint, {
    method: 'POST', duplex: 'half', headers: { ...csrf, 'content-type': 'multipart/form-data; boundary=x' },
    body: Readable.toWeb(Readable.from(body())),
  } as RequestInit);
  clearInterval(watch);
  expect(response.status).toBe(200);
  expect(peak - before).toBeLessThan(64_000_000);
  await wide.close(1_000);
});
