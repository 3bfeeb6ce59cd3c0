import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { startTestApp, type TestApp } from '../app.ts';
import type { TestClient } from '../client.ts';
import { greedyPicture, hostileFiles, hostileNames, payload, polyglots } from '../fixtures/hostile-files.ts';
import { sha256, uploadsOf } from '../fixtures/upload-client.ts';
import { until } from '../until.ts';

const isEmbedded = inject('settings').REDIS_URL === undefined && inject('postgresUrl') === null;
const MB = 1e6;

// What is hostile is the same for every database and queue, so it comes once.
describe.skipIf(!isEmbedded)('hostile input', () => {
  let darkroom: TestApp;
  let client: TestClient;
  /** What a child has at the most that has seen nothing but a harmless picture. */
  let quiet: number;
  let health: { answers: number[]; stop(): Promise<void> };
  const bait = createServer((request, response) => {
    const file = hostileFiles.find(({ filename }) => `/${filename}` === request.url);
    response.writeHead(200, { 'content-type': 'image/jpeg' });
    if (file) void Promise.resolve(file.bytes()).then((bytes) => response.end(bytes));
    else response.write('endless'); // and never a word more
  });
  beforeAll(async () => {
    await once(bait.listen(0, '127.0.0.1'), 'listening');
    darkroom = await startTestApp({ UPLOAD_MAX_BYTES: '4MB', COMPUTE_PROCESSES: '1', COMPUTE_MEMORY: '400MB', OUTWARD_ALLOWED_HOSTS: baitHost() });
    client = await darkroom.client();
    health = watchHealth(darkroom.url);
  });
  afterAll(async () => {
    bait.close().closeAllConnections();
    await health.stop();
    await darkroom.stop();
  });
  const baitHost = () => `127.0.0.1:${(bait.address() as AddressInfo).port}`;
  const spooled = () => readdir(join(darkroom.app.config.DATA_DIR, 'spool', 'requests'));
  const stored = async () => {
    const keys: string[] = [];
    for await (const key of darkroom.app.storage.list('')) keys.push(key);
    return keys;
  };
  /** Nothing half-done: no row, no object and no file that was not there before. */
  const nothingIsLeft = async (before: string[]) => {
    await until('an empty spool', async () => (await spooled()).length === 0 || (await spooled()));
    expect(await stored()).toEqual(before);
  };

  test('a harmless picture first, so that what is measured afterwards is the hostile one', async () => {
    await client.uploadAndAnalyze([{ name: 'harmless.png', bytes: await flat('#3a6ea5') }]);
    quiet = await peakOf(await childPids());
    expect(await client.get('{ images { totalCount } }')).toEqual({ images: { totalCount: 1 } });
  });

  test.each(hostileFiles)('$name: $outcome', async ({ filename, bytes: make, outcome }) => {
    const bytes = await make();
    const before = await stored();
    const memory = await watchMemory();
    const { results: [result], jobs } = await client.upload([{ name: filename, bytes }]);
    const ends = await client.untilEnded(jobs.map(({ id }: { id: string }) => id));
    const { api, children } = await memory.stop();
    expect(result.code ?? 'STORED').toBe(outcome === 'DAMAGED' ? 'STORED' : outcome);
    expect(children).toBeLessThan(quiet + 50 * MB);
    expect(api).toBeLessThan(100 * MB);
    if (result.code) {
      expect(result.message).toMatch(/^(Expected|Unsupported|Image|File|The file) .{10}/);
      return nothingIsLeft(before);
    }
    expect(ends.map(({ status }: { status: string }) => status)).toEqual(['COMPLETED']);
    const { image } = await client.get('query ($id: ID!) { image(id: $id) { damaged } }', { id: result.image.id });
    expect(image.damaged).toBe(outcome === 'DAMAGED');
  });

  test('a picture that costs its child does not cost its neighbours', async () => {
    const { results } = await client.upload([{ name: 'before.png', bytes: await flat('#112233') }, { name: 'greedy.png', bytes: greedyPicture() }, { name: 'after.png', bytes: await flat('#332211') }]);
    expect(results.map(({ code }: { code?: string }) => code ?? 'STORED')).toEqual(['STORED', 'CORRUPT', 'STORED']);
    expect(results[1].message).toMatch(/OUT_OF_MEMORY/);
  });

  test.each(polyglots)('$name: every rendition is clean, and the original is saved and never shown', async ({ filename, bytes: make }) => {
    const bytes = await make();
    expect(bytes.includes(payload)).toBe(true);
    const images = await client.uploadAndAnalyze([{ name: filename, bytes }]);
    const { image } = await client.get(
      'query ($id: ID!) { image(id: $id) { url(download: true) { url } jpeg: rendition(width: 40, format: JPEG) { url } png: rendition(width: 40, format: PNG) { url } webp: rendition(width: 64, format: WEBP) { url } avif: rendition(height: 20, format: AVIF) { url } placeholder { dataUri } } }',
      { id: images.get(filename) },
    );
    for (const { url } of [image.jpeg, image.png, image.webp, image.avif]) {
      const response = await fetch(url);
      const rendition = Buffer.from(await response.arrayBuffer());
      expect(response.headers.get('content-type')).toMatch(/^image\/(jpeg|png|webp|avif)$/);
      expect(rendition.includes('alert(')).toBe(false);
      const { exif, xmp, comments } = await sharp(rendition).metadata();
      expect({ exif, xmp, comments }).toEqual({ exif: undefined, xmp: undefined, comments: undefined });
    }
    const original = await fetch(image.url.url);
    expect(Buffer.from(await original.arrayBuffer()).equals(bytes)).toBe(true);
    expect(original.headers.get('content-disposition')).toMatch(/^attachment; filename="?[^;]+\.(png|jpg)"?/);
    expect(original.headers.get('x-content-type-options')).toBe('nosniff');
    expect(original.headers.get('content-security-policy')).toContain('sandbox');
  });

  test('names lead nowhere and are kept without what deceives', async () => {
    const files = await Promise.all(hostileNames.map(async ([sent], index) => ({ name: sent, bytes: await flat(`#0000${(16 + index).toString(16)}`) })));
    const { results } = await client.upload(files, { run: [] });
    expect(results.map(({ filename }: { filename: string }) => filename)).toEqual(hostileNames.map(([, kept]) => kept));
    expect((await stored()).filter((key) => !/^(originals|processed)\/[0-9a-f-]{36}$/.test(key))).toEqual([]);
    for (const path of ['/files/../../etc/passwd', '/files/..%2f..%2fetc%2fpasswd', '/files/originals/%00', '/public/x/../../signing-secret', '/put/../signing-secret']) {
      expect((await rawGet(path)).status).toBeGreaterThanOrEqual(400);
    }
    expect(await readdir(darkroom.app.config.DATA_DIR)).not.toContain('etc');
  });

  test('what is no recording is refused as one, in whatever container', async () => {
    const rubbish: [string, Buffer][] = [
      ['speech.wav', Buffer.from(`RIFF\xff\xff\xff\xffWAVEfmt ${'\xff'.repeat(200)}`, 'latin1')],
      ['speech.mp3', Buffer.from(`ID3\x04\0\0\x7f\x7f\x7f\x7f${'A'.repeat(5_000)}`, 'latin1')],
      ['speech.flac', Buffer.from(`fLaC\x84\xff\xff\xff${'\0'.repeat(100)}`, 'latin1')],
      ['speech.ogg', Buffer.from(`OggS\0\x02${'\xff'.repeat(500)}`, 'latin1')],
      ['speech.m4a', Buffer.from(`\0\0\0\x18ftypM4A \0\0\0\0M4A mp42\xff\xff\xff\xffmoov`, 'latin1')],
      ['speech.webm', Buffer.from(`\x1a\x45\xdf\xa3\x01\xff\xff\xff\xff\xff\xff\xffwebm`, 'latin1')],
      ['picture.wav', await flat('#00ff00')],
    ];
    const before = await stored();
    const { data } = await client.send('mutation ($files: [File!]!) { uploadAudio(files: $files) { results { __typename ... on RefusedFile { code message } } } }', rubbish.map(([name, bytes]) => ({ name, bytes })));
    for (const { code } of data.uploadAudio.results) expect(['CORRUPT', 'UNSUPPORTED_TYPE']).toContain(code);
    expect(data.uploadAudio.results).toHaveLength(rubbish.length);
    await nothingIsLeft(before);
  });

  test('from a URL and past the API a hostile file comes no further than by the front door', async () => {
    const { importImages } = await client.get('mutation ($urls: [URL!]!) { importImages(urls: $urls) { results { __typename ... on RefusedFile { code } } } }', { urls: ['bomb.png', 'page.jpg', 'script.gif', 'zero.jpg'].map((name) => `http://${baitHost()}/${name}`) });
    expect(importImages.results.map(({ code }: { code?: string }) => code)).toEqual(['TOO_MANY_PIXELS', 'UNSUPPORTED_TYPE', 'CORRUPT', 'TOO_LARGE']);

    const bomb = await hostileFiles[0]!.bytes();
    const uploads = uploadsOf(client);
    const [open] = await uploads.create([{ filename: 'bomb.png', byteSize: bomb.length, sha256: sha256(bomb) }]);
    expect((await uploads.send(open, bomb)).status).toBe(204);
    expect(await uploads.complete([open.uploadId])).toMatchObject([{ code: 'TOO_MANY_PIXELS' }]);
    const [other] = await uploads.create([{ filename: 'liar.png', byteSize: 1_000 }]);
    expect((await uploads.send(other, bomb)).status).toBe(413);
    expect(await send(other.url, { method: 'PUT', headers: { 'content-length': '1000' } }, ['short'])).toBeNull();
    expect(await uploads.complete([other.uploadId])).toMatchObject([{ code: 'CHECKSUM_MISMATCH' }]);
  });

  test('a request that lies about itself costs nothing: ten thousand parts, a name of a megabyte, a length that is too long or too short, a compressed body', async () => {
    const before = await stored();
    const memory = await watchMemory();
    const operations = JSON.stringify({ query: 'mutation ($files: [File!]!) { uploadImages(files: $files) { results { __typename } } }', variables: { files: [null] } });
    const part = (name: string, text: string, filename = '') => `--x\r\nContent-Disposition: form-data; name="${name}"${filename && `; filename="${filename}"`}\r\n\r\n${text}\r\n`;
    const begin = part('operations', operations) + part('map', '{"0":["variables.files.0"]}');
    const whole = `${begin}${part('0', 'bytes', 'a.png')}--x--\r\n`;
    const headers = { authorization: `Bearer ${client.token}`, 'x-graphql-yoga-csrf': '1', 'content-type': 'multipart/form-data; boundary=x' };
    const post = (body: string[], more: Record<string, string> = {}) => send(`${darkroom.url}/graphql`, { method: 'POST', headers: { ...headers, ...more } }, body);

    expect((await post([begin + part('0', 'bytes', 'a.png') + part('0', 'x').repeat(10_000)]))?.status).toBe(400);
    expect((await post([begin, part('n'.repeat(MB), 'bytes', 'a.png')]))?.status).toBe(400);
    expect(await post([whole.slice(0, -20)], { 'content-length': String(whole.length) })).toBeNull();
    expect((await post([whole], { 'content-length': String(whole.length - 20) }))?.status).toBe(400);
    expect((await post(['\x1f\x8b'], { 'content-encoding': 'gzip' }))?.status).toBe(415);
    expect((await memory.stop()).api).toBeLessThan(100 * MB);
    await nothingIsLeft(before);
  });

  test.each([
    ['a year that Postgres has not', '{ jobs(filter: { createdBefore: "0000-01-01T00:00:00Z" }) { totalCount } }', {}],
    ['a year of six digits', 'query ($at: DateTime) { jobs(filter: { createdAfter: $at }) { totalCount } }', { at: '+275760-09-13T00:00:00Z' }],
    ['half a surrogate pair as the name of a field', 'mutation ($id: ID!, $metadata: JSON) { updateImage(id: $id, input: { metadata: $metadata }) { id } }', { id: 'SW1hZ2U6MDAwMDAwMDAtMDAwMC03MDAwLTgwMDAtMDAwMDAwMDAwMDAw', metadata: { '\ud800': 1 } }],
  ])('values that no database keeps are the client\'s fault: %s', async (_name, query, variables) => {
    expect((await client.ask(query, variables)).errors?.[0]?.extensions.code).toBe('INVALID_INPUT');
  });

  test('all the while the API was well', async () => {
    await health.stop();
    expect(health.answers.length).toBeGreaterThan(20);
    expect(new Set(health.answers)).toEqual(new Set([200]));
    expect((await fetch(`${darkroom.url}/health/ready`)).status).toBe(200);
    await client.uploadAndAnalyze([{ name: 'harmless again.png', bytes: await flat('#abcdef') }]);
  });

  const rawGet = (path: string) => send(darkroom.url, { path, headers: { authorization: `Bearer ${client.token}` } }, []).then((answer) => answer!);
});

const flat = (background: string) => sharp({ create: { width: 80, height: 60, channels: 3, background } }).png().toBuffer();

/** A request as no fetch would send it: its path and its lengths are as given. Null where the server closes without an answer, or waits for the rest until we leave. */
function send(url: string, options: object, chunks: string[]): Promise<{ status: number } | null> {
  return new Promise((resolve) => {
    const request = httpRequest(url, { agent: false, ...options }, (response) => {
      response.resume().once('close', () => resolve({ status: response.statusCode! }));
    });
    request.once('error', () => resolve(null));
    for (const chunk of chunks) request.write(chunk);
    const promised = Number(request.getHeader('content-length') ?? 0);
    if (promised > Buffer.byteLength(chunks.join(''))) setTimeout(() => request.destroy(), 200);
    else request.end();
  });
}

/** Asks again and again whether the server lives. */
function watchHealth(url: string) {
  const answers: number[] = [];
  let isOver = false;
  const asking = (async () => {
    while (!isOver) {
      answers.push(await fetch(`${url}/health/live`, { signal: AbortSignal.timeout(10_000) }).then(({ status }) => status, () => 0));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  })();
  return { answers, stop: async () => { isOver = true; await asking; } };
}

/** By how much this process, which is the API, grew at the most; and what its compute children had at the most. Where there is no /proc, nothing of children. */
async function watchMemory() {
  await Promise.all((await childPids()).map((pid) => writeFile(`/proc/${pid}/clear_refs`, '5')));
  const before = process.memoryUsage.rss();
  let highest = before;
  const looking = setInterval(() => (highest = Math.max(highest, process.memoryUsage.rss())), 10);
  return {
    async stop() {
      clearInterval(looking);
      return { api: highest - before, children: await peakOf(await childPids()) };
    },
  };
}

async function childPids(): Promise<string[]> {
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
  const isChild = async (pid: string) => {
    const [status, command] = await Promise.all([readFile(`/proc/${pid}/status`, 'latin1').catch(() => ''), readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '')]);
    return status.includes(`\nPPid:\t${process.pid}\n`) && command.includes('compute/child');
  };
  const are = await Promise.all(pids.map(isChild));
  return pids.filter((_, index) => are[index]);
}

const peakOf = async (pids: string[]): Promise<number> =>
  Math.max(0, ...(await Promise.all(pids.map(async (pid) => Number(/^VmHWM:\s+(\d+) kB/m.exec(await readFile(`/proc/${pid}/status`, 'latin1').catch(() => ''))?.[1] ?? 0) * 1024))));
