import { existsSync, readdirSync, readFileSync } from 'node:fs';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { type DecodeLimits, decodeImage, readHeader } from '../src/compute/decode.ts';
import { decodeHeic } from '../src/compute/heic.ts';
import type { Raster } from '../src/compute/raster.ts';
import { sniffFormat } from '../src/compute/sniff.ts';

const limits: DecodeLimits = { maxSide: 16_384, maxPixels: 64e6, maxAvifPixels: 32e6, maxFrames: 1000 };
const hasHeicDecoder = existsSync(new URL('../node_modules/heic-decode', import.meta.url));
const odd = new URL('../../shared/data/odd-images/', import.meta.url);
const hasOdd = existsSync(odd);
const readOdd = (name: string) => readFileSync(new URL(name, odd));

const orange = { r: 255, g: 128, b: 0 };
const plain = () => sharp({ create: { width: 80, height: 60, channels: 3, background: orange } });
const glass = () => sharp({ create: { width: 80, height: 60, channels: 4, background: { ...orange, alpha: 0.5 } } });

const pixel = ({ data, width, channels }: Raster, x: number, y: number) => [...data.subarray((y * width + x) * channels, (y * width + x + 1) * channels)];

function expectNear(actual: number[], expected: number[], tolerance: number): void {
  expect(actual).toHaveLength(expected.length);
  for (const [index, value] of expected.entries()) expect(Math.abs((actual[index] ?? NaN) - value), `${actual} is near ${expected}`).toBeLessThanOrEqual(tolerance);
}

describe('every kind of pixel comes out as 8-bit sRGB', () => {
  const opaque: Record<string, Promise<Buffer>> = {
    JPEG: plain().jpeg({ quality: 95 }).toBuffer(),
    'CMYK JPEG': plain().toColourspace('cmyk').jpeg({ quality: 95 }).toBuffer(),
    PNG: plain().png().toBuffer(),
    'PNG with a palette': plain().png({ palette: true }).toBuffer(),
    'PNG of 16 bits': plain().toColourspace('rgb16').png().toBuffer(),
    'PNG in Display P3': plain().withIccProfile('p3').png().toBuffer(),
    WebP: plain().webp({ lossless: true }).toBuffer(),
    AVIF: plain().avif({ effort: 0, lossless: true }).toBuffer(),
    'AVIF of 10 bits': plain().avif({ effort: 0, bitdepth: 10, quality: 90 }).toBuffer(),
    'TIFF in Lab': plain().toColourspace('lab').tiff({ compression: 'lzw' }).toBuffer(),
    'TIFF of 16 bits': plain().toColourspace('rgb16').tiff({ compression: 'lzw' }).toBuffer(),
    'TIFF of floats': plain().toColourspace('scrgb').tiff({ compression: 'none' }).toBuffer(),
  };
  test.each(Object.keys(opaque))('%s as RGB', async (name) => {
    const { raster, hasAlpha, damaged } = await decodeImage((await opaque[name]) ?? Buffer.alloc(0), limits, { maxSide: 40 });
    expect(raster).toMatchObject({ width: 40, height: 30, channels: 3 });
    expect(raster.data).toHaveLength(40 * 30 * 3);
    expect({ hasAlpha, damaged }).toEqual({ hasAlpha: false, damaged: false });
    expectNear(pixel(raster, 20, 15), [255, 128, 0], 10);
  });

  const transparent: Record<string, Promise<Buffer>> = {
    PNG: glass().png().toBuffer(),
    'PNG of 16 bits': glass().toColourspace('rgb16').png().toBuffer(),
    WebP: glass().webp({ lossless: true }).toBuffer(),
    AVIF: glass().avif({ effort: 0, quality: 95 }).toBuffer(),
    TIFF: glass().tiff({ compression: 'lzw' }).toBuffer(),
  };
  test.each(Object.keys(transparent))('%s with alpha as RGBA, not premultiplied', async (name) => {
    const { raster, hasAlpha } = await decodeImage((await transparent[name]) ?? Buffer.alloc(0), limits, { maxSide: 40 });
    expect(hasAlpha).toBe(true);
    expectNear(pixel(raster, 20, 15), [255, 128, 0, 128], 4);
  });

  test('grey, 1-bit grey and 16-bit grey as RGB, grey with alpha as RGBA', async () => {
    const grey = () => plain().toColourspace('b-w');
    for (const file of [grey().png(), grey().tiff({ compression: 'lzw' }), plain().toColourspace('grey16').png(), grey().threshold(100).tiff({ bitdepth: 1 })]) {
      expect((await decodeImage(await file.toBuffer(), limits, { maxSide: 40 })).raster.channels).toBe(3);
    }
    const veiled = await decodeImage(await glass().toColourspace('b-w').png().toBuffer(), limits, { maxSide: 40 });
    expect(veiled.raster.channels).toBe(4);
  });

  test('an animation gives its first frame and the count of all', async () => {
    const frames = await Promise.all(['#ff0000', '#00ff00', '#0000ff'].map((background) => sharp({ create: { width: 60, height: 50, channels: 4, background } }).png().toBuffer()));
    const joined = () => sharp(frames, { join: { animated: true } });
    for (const file of [await joined().gif().toBuffer(), await joined().webp({ lossless: true }).toBuffer()]) {
      const decoded = await decodeImage(file, limits, { maxSide: 512 });
      expect(decoded).toMatchObject({ width: 60, height: 50, frames: 3, raster: { width: 60, height: 50 } });
      expectNear(pixel(decoded.raster, 30, 25).slice(0, 3), [255, 0, 0], 4);
    }
  });
});

describe('size', () => {
  test('a picture that is smaller than asked is not enlarged', async () => {
    const { raster, width, height } = await decodeImage(await plain().png().toBuffer(), limits, { maxSide: 500 });
    expect({ width, height, rasterWidth: raster.width }).toEqual({ width: 80, height: 60, rasterWidth: 80 });
  });

  test.each([
    ['TOO_MANY_PIXELS', { maxPixels: 4799 }, 'Image dimensions (80×60, 0.01 MP) exceed maximum'],
    ['TOO_MANY_PIXELS', { maxSide: 79 }, 'Image side (80 px) exceeds maximum (79 px)'],
  ])('%s names what came and what is allowed', async (code, limit, message) => {
    await expect(readHeader(await plain().png().toBuffer(), { ...limits, ...limit })).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
  });

  test('AVIF has a limit of pixels of its own', async () => {
    const file = await plain().avif({ effort: 0 }).toBuffer();
    await expect(readHeader(file, { ...limits, maxAvifPixels: 4000 })).rejects.toMatchObject({ code: 'TOO_MANY_PIXELS', message: expect.stringContaining('for AVIF') });
    await expect(readHeader(await plain().png().toBuffer(), { ...limits, maxAvifPixels: 4000 })).resolves.toBeDefined();
  });
});

describe('HEIC and AVIF', () => {
  test.each([['mif1', 'avif'], ['mif1', 'mif1'], ['heic', 'avif'], ['avif', 'avif']])('AV1 under the brands %s and %s is read as AVIF', async (major, other) => {
    const file = await plain().avif({ effort: 0 }).toBuffer();
    file.write(major, 8, 'latin1');
    file.write(other, file.indexOf('avif', 16), 'latin1');
    expect((await readHeader(file, limits)).format).toBe('AVIF');
    expect((await decodeImage(file, limits, { maxSide: 10 })).raster).toMatchObject({ width: 10, height: 8 });
  });

  test('HEVC under the brand avif is HEIC', async () => {
    const file = await plain().avif({ effort: 0 }).toBuffer();
    for (let at = file.indexOf('av01'); at > 0; at = file.indexOf('av01')) file.write('hvc1', at, 'latin1');
    expect(sniffFormat(file)).toEqual({ accepted: true, format: 'HEIC' });
  });

  test.skipIf(hasHeicDecoder)('HEIC without its decoder is refused with the command that helps', async () => {
    const error = await decodeHeic(Buffer.alloc(10)).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'UNSUPPORTED_TYPE', message: 'Unsupported image format: HEIC', extensions: { hint: expect.stringContaining('npm install heic-decode') } });
  });
});

describe('sniffing', () => {
  test.each([
    ['JPEG 2000', '\0\0\0\x0cjP  \r\n\x87\n'],
    ['JPEG XL', '\xff\x0a'],
    ['PDF', '%PDF-1.7'],
    ['ZIP', 'PK\x03\x04'],
    ['ICO', '\0\0\x01\0\x01'],
    ['MP4', '\0\0\0\x18ftypisom\0\0\0\0isommp42'],
    ['SVG', '\ufeff <?xml version="1.0"?><!-- drawn --><svg xmlns="http://www.w3.org/2000/svg">'],
    ['HTML', '<!DOCTYPE html><html>'],
  ])('%s is named and refused', (format, head) => {
    const bytes = Buffer.from(head, head.startsWith('\ufeff') ? 'utf8' : 'latin1');
    expect(sniffFormat(bytes)).toEqual({ accepted: false, format });
  });

  test.each(['BMW is a maker of cars, not of bitmaps', '', 'x', '<3 hearts', '\0'.repeat(64), 'RIFF', '\0\0\0\x08ftyp'])('%j is no image', (head) => {
    expect(sniffFormat(Buffer.from(head))?.accepted ?? false).toBe(false);
  });
});

describe.skipIf(!hasOdd)('odd images', () => {
  const rows: [name: string, expected: object][] = [
    ['16-bit-grey-alpha.png', { width: 109, height: 96, hasAlpha: true }],
    ['Channel_digital_image_CMYK_color.jpg', { width: 500, height: 333, hasAlpha: false }],
    ['G31D_MULTI.TIF', { width: 2464, height: 3248, frames: 1 }],
    ['cielab-dagams.tiff', { width: 400, height: 266, damaged: false }],
    ['bonne.geo.tif', { damaged: false }],
    ['animated-loop-3.gif', { width: 370, height: 285, frames: 10 }],
    ['animated-loop-3.webp', { frames: 10 }],
    ['pitm.avif', { width: 4096, height: 800, frames: 1 }],
    ['Landscape_6.jpg', { width: 600, height: 450 }],
    ['Portrait_5.jpg', { width: 450, height: 600 }],
    ['truncated.jpg', { width: 2725, height: 2225, damaged: true }],
    ['truncated.png', { width: 294, height: 240, damaged: true }],
  ];
  test.each(rows)('%s', async (name, expected) => {
    const decoded = await decodeImage(readOdd(name), limits, { maxSide: 64 });
    expect(decoded).toMatchObject(expected);
    expect(decoded.raster.data).toHaveLength(decoded.raster.width * decoded.raster.height * decoded.raster.channels);
  });

  test('the eight EXIF orientations of one scene give one picture', async () => {
    const upright = readdirSync(odd).filter((name) => name.startsWith('Landscape_'));
    const rasters = await Promise.all(upright.map(async (name) => (await decodeImage(readOdd(name), limits, { maxSide: 8 })).raster));
    const [first, ...others] = rasters;
    expect(others.length).toBeGreaterThanOrEqual(3);
    for (const other of others) {
      const error = other.data.reduce((sum, value, index) => sum + Math.abs(value - (first?.data[index] ?? NaN)), 0) / other.data.length;
      expect(error).toBeLessThan(8);
    }
  });

  test.each([['corrupt-header.jpg', 'CORRUPT'], ['check.svg', 'UNSUPPORTED_TYPE'], ['relax.jp2', 'UNSUPPORTED_TYPE'], ['vfile.v', 'UNSUPPORTED_TYPE'], ['invalid-illuminant.icc', 'UNSUPPORTED_TYPE'], ['65536-uint32-limit.png', 'TOO_MANY_PIXELS']])('%s is refused as %s', async (name, code) => {
    await expect(decodeImage(readOdd(name), limits, { maxSide: 64 })).rejects.toMatchObject({ name: 'UserError', code });
  });
});
