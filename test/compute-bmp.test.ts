import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { decodeBmp, readBmpHeader } from '../src/compute/bmp.ts';
import { decodeImage } from '../src/compute/decode.ts';
import { UserError } from '../src/errors.ts';

const suite = new URL('../../shared/data/bmp/', import.meta.url);
const read = (name: string) => readFileSync(new URL(`${name}.bmp`, suite));
const limits = { maxSide: 16_384, maxPixels: 64e6, maxAvifPixels: 32e6, maxFrames: 1000 };

/** A BMP with a header of 40 bytes, or longer where `masks` need it. */
function makeBmp({ width, height, bits, compression = 0, masks = [] as number[], palette = [] as number[], pixels }: { width: number; height: number; bits: number; compression?: number; masks?: number[]; palette?: number[]; pixels: number[] }): Buffer {
  const headerSize = masks.length === 4 ? 56 : 40;
  const head = Buffer.alloc(54);
  head.write('BM');
  head.writeUInt32LE(14 + Math.max(headerSize, 40 + masks.length * 4) + palette.length, 10);
  head.writeUInt32LE(headerSize, 14);
  head.writeInt32LE(width, 18);
  head.writeInt32LE(height, 22);
  head.writeUInt16LE(1, 26);
  head.writeUInt16LE(bits, 28);
  head.writeUInt32LE(compression, 30);
  const table = Buffer.alloc(masks.length * 4);
  masks.forEach((mask, index) => table.writeUInt32LE(mask, index * 4));
  return Buffer.concat([head, table, Buffer.from(palette), Buffer.from(pixels)]);
}

const red = [255, 0, 0];
const green = [0, 255, 0];
const blue = [0, 0, 255];
const white = [255, 255, 255];
const primaries = [0, 0, 255, 0, /* red */ 0, 255, 0, 0, /* green */ 255, 0, 0, 0, /* blue */ 255, 255, 255, 0];

describe('a picture of two rows, red green over blue white', () => {
  const size = { width: 2, height: 2 };
  const files: [name: string, file: Buffer][] = [
    ['24 bits, padded rows from the bottom', makeBmp({ ...size, bits: 24, pixels: [255, 0, 0, 255, 255, 255, 0, 0, 0, 0, 255, 0, 255, 0, 0, 0] })],
    ['24 bits, rows from the top', makeBmp({ width: 2, height: -2, bits: 24, pixels: [0, 0, 255, 0, 255, 0, 0, 0, 255, 0, 0, 255, 255, 255, 0, 0] })],
    ['32 bits', makeBmp({ ...size, bits: 32, pixels: [255, 0, 0, 0, 255, 255, 255, 0, 0, 0, 255, 0, 0, 255, 0, 0] })],
    ['16 bits 5-5-5', makeBmp({ ...size, bits: 16, pixels: [0x1f, 0, 0xff, 0x7f, 0, 0x7c, 0xe0, 3] })],
    ['16 bits 5-6-5', makeBmp({ ...size, bits: 16, compression: 3, masks: [0xf800, 0x7e0, 0x1f], pixels: [0x1f, 0, 0xff, 0xff, 0, 0xf8, 0xe0, 7] })],
    ['8 bits', makeBmp({ ...size, bits: 8, palette: primaries, pixels: [2, 3, 0, 0, 0, 1, 0, 0] })],
    ['4 bits', makeBmp({ ...size, bits: 4, palette: primaries, pixels: [0x23, 0, 0, 0, 0x01, 0, 0, 0] })],
    ['2 bits', makeBmp({ ...size, bits: 2, palette: primaries, pixels: [0xb0, 0, 0, 0, 0x10, 0, 0, 0] })],
    ['RLE8', makeBmp({ ...size, bits: 8, compression: 1, palette: primaries, pixels: [1, 2, 1, 3, 0, 0, 1, 0, 1, 1, 0, 1] })],
    ['RLE4', makeBmp({ ...size, bits: 4, compression: 2, palette: primaries, pixels: [2, 0x23, 0, 0, 2, 0x01, 0, 1] })],
  ];
  test.each(files)('%s', (_, file) => {
    const { raster, damaged } = decodeBmp(file);
    expect(readBmpHeader(file)).toEqual({ width: 2, height: 2, hasAlpha: false });
    expect([...raster.data]).toEqual([...red, ...green, ...blue, ...white]);
    expect(damaged).toBe(false);
  });
});

const rgba = { width: 1, height: 1, bits: 32, compression: 3, masks: [0xff0000, 0xff00, 0xff, 0xff000000] };
test('an alpha mask gives RGBA, and alpha that is zero everywhere is opaque', () => {
  expect([...decodeBmp(makeBmp({ ...rgba, pixels: [1, 2, 3, 128] })).raster.data]).toEqual([3, 2, 1, 128]);
  expect([...decodeBmp(makeBmp({ ...rgba, pixels: [1, 2, 3, 0] })).raster.data]).toEqual([3, 2, 1, 255]);
  expect(readBmpHeader(makeBmp({ ...rgba, pixels: [1, 2, 3, 128] })).hasAlpha).toBe(true);
});

test('a colour beyond the palette is black', () => {
  const { raster } = decodeBmp(makeBmp({ width: 1, height: 1, bits: 8, palette: primaries, pixels: [200, 0, 0, 0] }));
  expect([...raster.data]).toEqual([0, 0, 0]);
});

test('a file that ends early keeps its rows and is damaged; without one row it is CORRUPT', () => {
  const whole = makeBmp({ width: 2, height: 2, bits: 24, pixels: [255, 0, 0, 255, 255, 255, 0, 0] });
  expect(decodeBmp(whole)).toMatchObject({ damaged: true, raster: { data: new Uint8Array([0, 0, 0, 0, 0, 0, ...blue, ...white]) } });
  expect(() => decodeBmp(whole.subarray(0, -1))).toThrow(UserError);
});

test('a run that leaves the picture is cut off and damaged', () => {
  const { raster, damaged } = decodeBmp(makeBmp({ width: 2, height: 1, bits: 8, compression: 1, palette: primaries, pixels: [255, 1, 0, 1] }));
  expect([...raster.data]).toEqual([...green, ...green]);
  expect(damaged).toBe(true);
});

test('a header of 2 billion rows is refused by its size before memory is taken', async () => {
  const file = makeBmp({ width: 2 ** 31 - 1, height: 2 ** 31 - 1, bits: 24, pixels: [0, 0, 0, 0] });
  await expect(decodeImage(file, limits, { maxSide: 64 })).rejects.toMatchObject({ code: 'TOO_MANY_PIXELS' });
});

describe.skipIf(!existsSync(suite))('bmpsuite', () => {
  // The body of a skipped describe runs all the same, to collect its tests.
  const files = existsSync(suite) ? readdirSync(suite) : [];
  const names = (prefix: string) => files.filter((name) => name.startsWith(prefix)).map((name) => name.replace('.bmp', ''));
  const pixels = (name: string) => Buffer.from(decodeBmp(read(`good-${name}`)).raster.data);

  test.each(names('good-'))('%s decodes whole', (name) => {
    const { raster, damaged } = decodeBmp(read(name));
    expect(raster.data).toHaveLength(raster.width * raster.height * 3);
    expect(new Set(raster.data).size).toBeGreaterThan(1);
    expect(damaged).toBe(false);
  });

  // The suite draws one picture in many ways.
  test.each([
    ['pal8', ['pal8-0', 'pal8os2', 'pal8rle', 'pal8topdown', 'pal8v4', 'pal8v5']],
    ['pal4', ['pal4rle']],
    ['rgb24', ['rgb24pal', 'rgb32', 'rgb32bf', 'rgb32bfdef']],
    ['rgb16', ['rgb16bfdef']],
    ['rgb16-565', ['rgb16-565pal']],
  ])('%s and its siblings are the same pixels', (name, siblings) => {
    for (const sibling of siblings) expect(pixels(sibling).equals(pixels(name)), sibling).toBe(true);
  });

  test.each([['pal8', 40], ['rgb16', 5], ['rgb16-565', 5]])('%s is near the picture of 24 bits', (name, tolerance) => {
    const [few, many] = [pixels(name), pixels('rgb24')];
    const error = few.reduce((sum, value, index) => sum + Math.abs(value - (many[index] ?? NaN)), 0) / few.length;
    expect(error).toBeLessThan(tolerance);
  });

  test.each(names('bad-'))('%s decodes or is refused, with a sentence', async (name) => {
    const outcome = await decodeImage(read(name), limits, { maxSide: 64 }).catch((reason: unknown) => reason);
    if (outcome instanceof Error) expect(outcome).toMatchObject({ name: 'UserError', code: expect.stringMatching(/CORRUPT|TOO_MANY_PIXELS|UNSUPPORTED_TYPE/) });
    else expect(outcome).toMatchObject({ raster: { width: 64, channels: 3 } });
  });
});
