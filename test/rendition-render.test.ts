import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Recipe, renderImage, type RenditionFormat } from '../src/compute/render.ts';

const limits = { maxSide: 16_384, maxPixels: 64e6, maxAvifPixels: 32e6, maxFrames: 1000 };
const shared = new URL('../../shared/data/', import.meta.url);
const recipe: Recipe = { crop: null, width: 40, height: 30, fit: 'fill', format: 'JPEG', quality: 80 };
const formats: RenditionFormat[] = ['JPEG', 'WEBP', 'AVIF', 'PNG'];

let folder: string;
beforeAll(async () => (folder = await mkdtemp(join(tmpdir(), 'darkroom-render-'))));
afterAll(() => rm(folder, { recursive: true }));

async function render(original: Uint8Array, changes: Partial<Recipe> = {}): Promise<Buffer> {
  const [source, target] = [join(folder, 'source'), join(folder, 'target')];
  await writeFile(source, original);
  await renderImage({ source, target, recipe: { ...recipe, ...changes }, limits });
  return readFile(target);
}

/** Three bars, red, green and blue, each 40 px wide and 80 high. */
const stripes = (): Sharp => sharp(Buffer.from([255, 0, 0, 0, 255, 0, 0, 0, 255]), { raw: { width: 3, height: 1, channels: 3 } }).resize(120, 80, { kernel: 'nearest', fit: 'fill' });
/** Two pixels of 32 bits with an alpha mask: nothing, and opaque blue. */
function glassBmp(): Buffer {
  const file = Buffer.alloc(78);
  file.write('BM');
  for (const [at, value] of [[10, 70], [14, 56], [18, 2], [22, 1], [28, 32], [30, 3]] as const) file.writeInt32LE(value, at);
  [0xff0000, 0xff00, 0xff, 0xff000000, 0, 0xff0000ff].forEach((value, index) => file.writeUInt32LE(value, 54 + 4 * index));
  return file;
}
const glass = () => sharp({ create: { width: 120, height: 80, channels: 4, background: { r: 0, g: 0, b: 255, alpha: 0 } } });

async function colorAt(picture: Buffer, x: number, y: number): Promise<number[]> {
  const { data, info } = await sharp(picture).raw().toBuffer({ resolveWithObject: true });
  const at = (y * info.width + x) * info.channels;
  return [...data.subarray(at, at + 3)];
}
const alphaAt = async (picture: Buffer, x: number, y: number): Promise<number> => (await sharp(picture).ensureAlpha().extractChannel('alpha').extract({ left: x, top: y, width: 1, height: 1 }).raw().toBuffer())[0]!;
const near = (wanted: number[]) => wanted.map((value) => expect.closeTo(value, -1.2));
const red = near([255, 0, 0]);
const green = near([0, 255, 0]);
const blue = near([0, 0, 255]);

describe('a rendering', () => {
  test.each(formats)('is a %s of exactly the size, without anything but its picture', async (format) => {
    const original = await stripes()
      .withExif({ IFD0: { Model: 'Box Brownie' }, IFD3: { GPSLatitude: '52/1 30/1 0/1', GPSLatitudeRef: 'N' } })
      .withXmp('<x:xmpmeta xmlns:x="adobe:ns:meta/">secret place</x:xmpmeta>')
      .jpeg()
      .toBuffer();
    expect((await sharp(original).metadata()).exif).toBeDefined();
    for (const fit of ['fill', 'cover', 'contain'] as const) {
      const made = await render(original, { format, fit, width: 31, height: 17 });
      const metadata = await sharp(made).metadata();
      expect(metadata).toMatchObject({ format: { JPEG: 'jpeg', WEBP: 'webp', AVIF: 'heif', PNG: 'png' }[format], width: 31, height: 17, space: 'srgb', channels: 3, depth: 'uchar' });
      for (const name of ['exif', 'xmp', 'iptc', 'icc', 'orientation'] as const) expect(metadata[name], name).toBeUndefined();
      expect(made.includes('secret place')).toBe(false);
    }
  });

  test('is of the part that was asked for, of the upright picture, in every fit', async () => {
    const onItsSide = await stripes().withMetadata({ orientation: 6 }).jpeg({ quality: 95 }).toBuffer();
    const crop = { left: 10, top: 40, width: 60, height: 40 };
    const whole = await render(onItsSide, { crop, width: 30, height: 20, format: 'PNG' });
    for (const [x, y] of [[3, 3], [27, 3], [27, 17], [3, 17]] as const) expect(await colorAt(whole, x, y)).toEqual(green);
    const middle = await render(onItsSide, { crop: { left: 0, top: 20, width: 80, height: 40 }, fit: 'cover', width: 20, height: 20, format: 'PNG' });
    expect([await colorAt(middle, 10, 3), await colorAt(middle, 10, 17)]).toEqual([red, green]);
    const framed = await render(onItsSide, { crop, fit: 'contain', width: 60, height: 60, format: 'PNG' });
    expect([await colorAt(framed, 30, 4), await colorAt(framed, 30, 30)]).toEqual([near([255, 255, 255]), green]);
  });

  test('stands upright', async () => {
    const onItsSide = await stripes().withMetadata({ orientation: 6 }).jpeg({ quality: 95 }).toBuffer();
    const made = await render(onItsSide, { width: 40, height: 60, format: 'PNG' });
    expect([await colorAt(made, 20, 8), await colorAt(made, 20, 30), await colorAt(made, 20, 52)]).toEqual([red, green, blue]);
  });

  test('shows the colours of a wide gamut as sRGB', async () => {
    const plain = sharp({ create: { width: 80, height: 60, channels: 3, background: { r: 200, g: 100, b: 50 } } });
    const made = await render(await plain.withIccProfile('p3').png().toBuffer(), { format: 'PNG' });
    expect(await colorAt(made, 20, 15)).toEqual(near([200, 100, 50]));
    const muted = sharp({ create: { width: 80, height: 60, channels: 3, background: { r: 150, g: 140, b: 120 } } });
    const printed = await render(await muted.toColourspace('cmyk').jpeg({ quality: 95 }).toBuffer(), { format: 'PNG' });
    // Ink that a profile turns into light is only near.
    expect(await colorAt(printed, 20, 15)).toEqual([150, 140, 120].map((value) => expect.closeTo(value, -1.5)));
  });

  test('that covers is cut evenly from both sides', async () => {
    const made = await render(await stripes().png().toBuffer(), { fit: 'cover', width: 40, height: 40, format: 'PNG' });
    expect([await colorAt(made, 1, 20), await colorAt(made, 20, 20), await colorAt(made, 38, 20)]).toEqual([red, green, blue]);
    const narrow = await render(await stripes().png().toBuffer(), { fit: 'cover', width: 20, height: 60, format: 'PNG' });
    expect([await colorAt(narrow, 1, 30), await colorAt(narrow, 18, 30)]).toEqual([green, green]);
  });

  test('that contains is filled up with white, or with nothing where the picture is transparent', async () => {
    const opaque = await render(await stripes().png().toBuffer(), { fit: 'contain', width: 60, height: 60, format: 'WEBP' });
    expect(await colorAt(opaque, 30, 2)).toEqual(near([255, 255, 255]));
    expect(await colorAt(opaque, 30, 30)).toEqual(green);
    const transparent = await stripes().ensureAlpha().png().toBuffer();
    expect(await alphaAt(await render(transparent, { fit: 'contain', width: 60, height: 60, format: 'WEBP' }), 30, 2)).toBe(0);
    expect(await colorAt(await render(transparent, { fit: 'contain', width: 60, height: 60 }), 30, 2)).toEqual(near([255, 255, 255]));
  });

  test('keeps transparency where the format can, and is on white where not', async () => {
    const original = await glass().png().toBuffer();
    for (const format of ['WEBP', 'AVIF', 'PNG'] as const) expect(await alphaAt(await render(original, { format }), 20, 15), format).toBe(0);
    expect(await colorAt(await render(original), 20, 15)).toEqual(near([255, 255, 255]));
  });

  test('of a BMP with alpha is transparent as well', async () => {
    const made = await render(glassBmp(), { format: 'PNG', fit: 'contain' });
    for (const [x, y] of [[20, 2], [3, 15]] as const) expect(await alphaAt(made, x, y)).toBe(0);
    expect(await alphaAt(made, 37, 15)).toBe(255);
    expect(await colorAt(await render(glassBmp()), 3, 15)).toEqual(near([255, 255, 255]));
  });

  test('of less quality has fewer bytes, in every format that loses some', async () => {
    const noise = await sharp({ create: { width: 200, height: 200, channels: 3, background: 'grey', noise: { type: 'gaussian', mean: 128, sigma: 40 } } }).png().toBuffer();
    for (const format of ['JPEG', 'WEBP', 'AVIF'] as const) {
      const sizes: number[] = [];
      for (const quality of [1, 40, 80, 90, 100]) sizes.push((await render(noise, { format, quality, width: 100, height: 100 })).length);
      expect(sizes, format).toEqual([...sizes].sort((one, other) => one - other));
      expect(new Set(sizes).size, format).toBe(5);
    }
  });

  test('of the same recipe is the same bytes', async () => {
    const original = await stripes().jpeg().toBuffer();
    for (const format of formats) expect((await render(original, { format })).equals(await render(original, { format })), format).toBe(true);
  });

  test('of an animation is its first frame', async () => {
    const frames = await Promise.all(['#f00', '#0f0'].map((background) => sharp({ create: { width: 60, height: 60, channels: 3, background } }).png().toBuffer()));
    const animation = await sharp(frames, { join: { animated: true } }).gif().toBuffer();
    expect((await sharp(animation).metadata()).pages).toBe(2);
    expect(await colorAt(await render(animation, { width: 30, height: 30, format: 'PNG' }), 15, 15)).toEqual(red);
  });

  test('of a damaged original is what can be decoded', async () => {
    const whole = await stripes().jpeg({ quality: 95 }).toBuffer();
    const made = await render(whole.subarray(0, Math.round(whole.length * 0.6)), { format: 'PNG', width: 120, height: 80 });
    expect(await sharp(made).metadata()).toMatchObject({ width: 120, height: 80 });
    expect(await colorAt(made, 20, 4)).toEqual(red);
  });

  test.each([
    ['no image at all', () => Buffer.from('<svg/>'), 'UNSUPPORTED_TYPE'],
    ['no bytes', () => Buffer.alloc(0), 'EMPTY'],
    ['a header without a picture', async () => (await stripes().png().toBuffer()).subarray(0, 40), 'CORRUPT'],
    ['more pixels than allowed', async () => sharp({ create: { width: 9000, height: 9000, channels: 3, background: 'red' } }).png().toBuffer(), 'TOO_MANY_PIXELS'],
  ] as const)('of %s is refused, and writes nothing', async (_, original, code) => {
    await rm(join(folder, 'target'), { force: true });
    await expect(render(await original())).rejects.toMatchObject({ code });
    expect(existsSync(join(folder, 'target'))).toBe(false);
  });

  test.skipIf(!existsSync(shared))('of whatever can be uploaded is a picture', async () => {
    for (const name of ['bmp/good-pal8.bmp', 'odd-images/pitm.avif', 'odd-images/animated-loop-3.webp', 'odd-images/16-bit-grey-alpha.png', 'odd-images/bonne.geo.tif', 'odd-images/cielab-dagams.tiff', 'odd-images/truncated.jpg', 'odd-images/Channel_digital_image_CMYK_color.jpg']) {
      for (const format of formats) expect((await sharp(await render(readFileSync(new URL(name, shared)), { format })).stats()).channels.length, `${name} ${format}`).toBeGreaterThan(0);
    }
  });
});
