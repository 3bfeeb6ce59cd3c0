import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { decodeImage } from '../src/compute/decode.ts';
import type { UploadLimits } from '../src/compute/inspect.ts';
import { type Compute, createCompute } from '../src/compute/pool.ts';
import { stripPng } from '../src/compute/strip-png.ts';
import { createLog } from '../src/log.ts';
import type { tasks } from './fixtures/loader-tasks.ts';
import { drawPng, pngChunk, pngSignature } from './fixtures/png.ts';

const limits: UploadLimits = { minSide: 8, maxSide: 16_384, maxPixels: 64e6, maxAvifPixels: 32e6, maxFrames: 1000 };
const MB = 1e6;
let folder: string;
let compute: Compute<typeof tasks>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'darkroom-hostile-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** A child that has seen one harmless image, so that what a test measures is its own file. */
async function freshChild(): Promise<number> {
  await compute?.close();
  compute = createCompute<typeof tasks>({ processes: 1, memoryLimitBytes: 1e9, log: createLog('silent'), tasksUrl: new URL('./fixtures/loader-tasks.ts', import.meta.url).href });
  return (await inspect(drawPng(64, 64))).peakRssBytes;
}
beforeAll(freshChild);
afterEach(() => rm(join(folder, 'upload'), { force: true }));
afterAll(() => compute.close());

async function inspect(bytes: Buffer, overrides: Partial<UploadLimits> = {}) {
  const path = join(folder, 'upload');
  await writeFile(path, bytes);
  return compute.run('inspect', { path, limits: { ...limits, ...overrides } }, { timeoutMs: 10_000 });
}

const photo = () => sharp({ create: { width: 64, height: 48, channels: 3, background: '#c04020' } });

describe('a header decides before a pixel is decoded', () => {
  test('1. a PNG of 30000×30000 in 110 KB is TOO_MANY_PIXELS', async () => {
    const bomb = drawPng(30_000, 30_000, { bitDepth: 1 });
    expect(bomb.length).toBeLessThan(200_000);
    await freshChild();
    await expect(inspect(bomb)).rejects.toMatchObject({ code: 'TOO_MANY_PIXELS', message: 'Image dimensions (30000×30000, 900 MP) exceed maximum (64 MP)' });
  });

  test('2. a PNG of 50000×1000 has too long a side', async () => {
    await expect(inspect(drawPng(50_000, 1_000, { bitDepth: 1 }))).rejects.toMatchObject({ code: 'TOO_MANY_PIXELS', message: 'Image side (50000 px) exceeds maximum (16384 px)' });
  });

  test.each([[0, 0], [0, 64], [2 ** 31 - 1, 2 ** 31 - 1]])('3. a PNG of %i×%i is CORRUPT', async (width, height) => {
    await expect(inspect(drawPng(width, height))).rejects.toMatchObject({ code: 'CORRUPT' });
  });

  test('7. a GIF of 5,000 frames has too many', async () => {
    const frame = Buffer.from(',\0\0\0\0\x40\0\x40\0\0\x02\x02\x44\x01\0', 'latin1');
    const gif = Buffer.concat([Buffer.from('GIF89a\x40\0\x40\0\x80\0\0\0\0\0\xff\xff\xff', 'latin1'), ...Array.from({ length: 5_000 }, () => frame), Buffer.from(';')]);
    await expect(inspect(gif)).rejects.toMatchObject({ code: 'TOO_MANY_PIXELS', message: 'Image frames (5000) exceed maximum (1000)' });
  });

  test('an image below the least size is TOO_SMALL, with both sizes', async () => {
    const small = await photo().resize(40, 30).png().toBuffer();
    await expect(inspect(small, { minSide: 50 })).rejects.toMatchObject({ code: 'TOO_SMALL', message: 'Image dimensions (40×30) are below minimum (50×50)' });
  });
});

describe('what is no pixel costs no memory', () => {
  const zeroes = deflateSync(Buffer.alloc(300 * MB, 'a'));
  const named = (text: string, data: Buffer) => Buffer.concat([Buffer.from(text, 'latin1'), data]);

  test.each([
    ['zTXt', named('a\0\0', zeroes)],
    ['iCCP', named('a\0\0', zeroes)],
    ['iTXt', named('a\0\x01\0\0\0', zeroes)],
  ])('4. a %s chunk that inflates to 300 MB is passed over', async (type, data) => {
    const bomb = drawPng(64, 64, { extra: [pngChunk(type, data)] });
    const quiet = await freshChild();
    const { output, peakRssBytes } = await inspect(bomb);
    expect(output).toMatchObject({ format: 'PNG', width: 64, damaged: false });
    expect(peakRssBytes - quiet).toBeLessThan(25 * MB);
  });

  test('5. a hundred zTXt chunks of 7.9 MB each are passed over', async () => {
    const chunk = pngChunk('zTXt', named('a\0\0', deflateSync(Buffer.alloc(7.9 * MB, 'a'))));
    const quiet = await freshChild();
    const { peakRssBytes } = await inspect(drawPng(64, 64, { extra: Array.from({ length: 100 }, () => chunk) }));
    expect(peakRssBytes - quiet).toBeLessThan(50 * MB);
  });

  test('6. a hundred thousand chunks are CORRUPT within a second', async () => {
    const chunk = pngChunk('tEXt', Buffer.from('a\0b'));
    const file = drawPng(64, 64, { extra: Array.from({ length: 100_000 }, () => chunk) });
    const before = performance.now();
    await expect(inspect(file)).rejects.toMatchObject({ code: 'CORRUPT', message: expect.stringContaining('50000') });
    expect(performance.now() - before).toBeLessThan(1_000);
  });

  test('a chunk longer than PNG allows is CORRUPT', async () => {
    const liar = pngChunk('tEXt', Buffer.from('a\0b'));
    liar.writeUInt32BE(2 ** 31, 0);
    await expect(inspect(drawPng(64, 64, { extra: [liar] }))).rejects.toMatchObject({ code: 'CORRUPT' });
  });

  test('what the pixels need stays: colour, transparency, orientation', async () => {
    const oriented = await sharp({ create: { width: 9, height: 5, channels: 4, background: '#ff000080' } }).png().withIccProfile('p3').withMetadata({ orientation: 6 }).toBuffer();
    const { icc, orientation, hasAlpha } = await sharp(stripPng(oriented)).metadata();
    expect({ icc: Boolean(icc), orientation, hasAlpha }).toEqual({ icc: true, orientation: 6, hasAlpha: true });
  });
});

test('a colour profile above 1 MB and EXIF above 64 KB go, smaller ones stay', () => {
  const profile = (byteSize: number) => pngChunk('iCCP', Buffer.concat([Buffer.from('a\0\0', 'latin1'), deflateSync(Buffer.alloc(byteSize))]));
  const strip = (chunk: Buffer) => stripPng(drawPng(8, 8, { extra: [chunk] })).toString('latin1');
  expect(strip(profile(0.9 * MB))).toContain('iCCP');
  expect(strip(profile(1.1 * MB))).not.toContain('iCCP');
  expect(strip(pngChunk('eXIf', Buffer.alloc(65_536)))).toContain('eXIf');
  expect(strip(pngChunk('eXIf', Buffer.alloc(65_537)))).not.toContain('eXIf');
});

describe('broken bytes', () => {
  test('8. a truncated JPEG is damaged where pixels can be saved, else CORRUPT', async () => {
    const noise = sharp({ create: { width: 640, height: 480, channels: 3, background: 'grey', noise: { type: 'gaussian', mean: 128, sigma: 30 } } });
    const whole = await noise.jpeg().toBuffer();
    expect((await inspect(whole)).output.damaged).toBe(false);
    expect((await inspect(whole.subarray(0, whole.length / 2))).output.damaged).toBe(true);
    await expect(inspect(whole.subarray(0, 150))).rejects.toMatchObject({ code: 'CORRUPT' });
  });

  test.each([['EMPTY', Buffer.alloc(0)], ['UNSUPPORTED_TYPE', Buffer.alloc(1)], ['UNSUPPORTED_TYPE', Buffer.alloc(1 * MB)]])('9. %s', async (code, bytes) => {
    await expect(inspect(bytes)).rejects.toMatchObject({ code });
  });

  test('13. a GIF that is also a script is CORRUPT', async () => {
    await expect(inspect(Buffer.from('GIF89a/*..*/=1;alert(document.domain)'), { maxSide: 1e5, maxPixels: 1e10 })).rejects.toMatchObject({ code: 'CORRUPT' });
  });

  test.each([
    ['UNSUPPORTED_TYPE', 'HTML', Buffer.from('<!doctype html><script>alert(1)</script>')],
    ['UNSUPPORTED_TYPE', 'PDF', Buffer.from('%PDF-1.7\n%âãÏÓ')],
    ['CORRUPT', 'PNG', Buffer.concat([pngSignature, Buffer.from('\xff\xd8\xff\xe0\0\x10JFIF\0', 'latin1')])],
  ])('16. %s %s', async (code, name, bytes) => {
    await expect(inspect(bytes)).rejects.toMatchObject({ code, message: expect.stringContaining(name) });
  });
});

describe('SVG', () => {
  const svg = (body: string, before = '') => Buffer.from(`${before}<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="64" height="64">${body}</svg>`);
  const billion = `<!DOCTYPE lol [<!ENTITY a "lol">${'bcdefghi'.replace(/./g, (name, at: number) => `<!ENTITY ${name} "${`&${'abcdefgh'[at]};`.repeat(10)}">`)}]>`;

  test.each([svg('<script>alert(1)</script>'), svg('<rect onload="alert(1)"/>', '<?xml version="1.0"?>\n')])('10. is refused by its bytes, whatever its name', async (bytes) => {
    const error = await inspect(bytes).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'UNSUPPORTED_TYPE', message: 'Unsupported image format: SVG', extensions: { hint: expect.stringContaining('JPEG, PNG') } });
  });

  test.each([
    ['11. that reads a file', svg('<image xlink:href="file:///etc/passwd" width="9" height="9"/>')],
    ['12. that laughs a billion times', svg('<text>&i;</text>', billion)],
    ['that is harmless', svg('<rect width="9" height="9"/>')],
  ])('%s does not even open when it reaches sharp', async (_, bytes) => {
    await expect(compute.run('open', bytes, { timeoutMs: 10_000 })).rejects.toThrow('unsupported image format');
  });

  test('a file opened by its name does not open either', async () => {
    const path = join(folder, 'by-name.png');
    await writeFile(path, drawPng(64, 64));
    await expect(compute.run('open', path, { timeoutMs: 10_000 })).rejects.toThrow('unsupported image format');
    await expect(compute.run('open', drawPng(64, 64), { timeoutMs: 10_000 })).resolves.toBeDefined();
  });
});

describe('what hides in a picture is not in its pixels', () => {
  const payload = '<?php system($_GET[0]); ?><script>alert(1)</script>';
  /** As a rendition is made: from the raster, never from the file. */
  async function rendition(file: Buffer): Promise<Buffer> {
    const { raster } = await decodeImage(file, limits, { maxSide: 64 });
    return sharp(raster.data, { raw: { width: raster.width, height: raster.height, channels: raster.channels } }).jpeg().toBuffer();
  }

  test('14. after the end of a PNG', async () => {
    const file = Buffer.concat([drawPng(64, 64), Buffer.from(`PK\x03\x04${payload}`)]);
    expect((await inspect(file)).output).toMatchObject({ format: 'PNG', damaged: false });
    expect(stripPng(file).includes(payload)).toBe(false);
    expect((await rendition(file)).includes(payload)).toBe(false);
  });

  test('15. in a comment of a JPEG', async () => {
    const clean = await photo().jpeg().toBuffer();
    const comment = Buffer.concat([Buffer.from([0xff, 0xfe, 0, payload.length + 2]), Buffer.from(payload)]);
    const file = Buffer.concat([clean.subarray(0, 2), comment, clean.subarray(2)]);
    expect((await inspect(file)).output).toMatchObject({ format: 'JPEG', damaged: false });
    expect((await rendition(file)).includes(payload)).toBe(false);
  });

  test('17. the place is a fact beside the picture, in no rendition of it', async () => {
    const gps = { GPSLatitudeRef: 'N', GPSLatitude: '48/1 12/1 0/1', GPSLongitudeRef: 'E', GPSLongitude: '16/1 30/1 0/1' };
    const file = await photo().withExif({ IFD3: gps }).jpeg().toBuffer();
    expect((await inspect(file)).output.exif?.gps).toEqual({ latitude: 48.2, longitude: 16.5 });
    expect((await sharp(await rendition(file)).metadata()).exif).toBeUndefined();
  });

  test('18. EXIF orientation 6 is applied: 64×48 becomes 48×64', async () => {
    const left = { input: { create: { width: 32, height: 48, channels: 3 as const, background: 'blue' } }, left: 0, top: 0 };
    const file = await photo().composite([left]).withMetadata({ orientation: 6 }).jpeg().toBuffer();
    expect((await inspect(file)).output).toMatchObject({ width: 48, height: 64, orientation: 6 });
    const { raster } = await decodeImage(file, limits, { maxSide: 64 });
    expect(raster).toMatchObject({ width: 48, height: 64 });
    const [topBlue, bottomBlue] = [raster.data[(8 * 48 + 24) * 3 + 2] ?? 0, raster.data[(56 * 48 + 24) * 3 + 2] ?? 0];
    expect(topBlue).toBeGreaterThan(200);
    expect(bottomBlue).toBeLessThan(100);
  });
});
