import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readCodes } from '../src/compute/codes.ts';
import { drawSample } from '../src/compute/draw.ts';
import { measureImage, measureRaster, type Measurements } from '../src/compute/measure.ts';
import { hammingDistance } from '../src/compute/pdq.ts';
import { thumbHash, thumbHashToDataUri, thumbHashToHex } from '../src/compute/placeholder.ts';
import { posterText } from '../src/compute/scenes/studio.ts';
import { plain, pngOf, raster512 } from './measure-edits.ts';

const limits = { maxSide: 16384, maxPixels: 64e6, maxAvifPixels: 32e6, maxFrames: 1000 };
const whole = { width: 512, height: 512, frames: 1, codes: [] };
let folder: string;

beforeAll(async () => { folder = await mkdtemp(join(tmpdir(), 'measure-')); });
afterAll(() => rm(folder, { recursive: true }));

async function measure(bytes: Buffer, progress: (percent: number, stage: string) => void = () => {}): Promise<Measurements> {
  const path = join(folder, 'image');
  await writeFile(path, bytes);
  return measureImage({ path, limits }, progress);
}
/** Drawn small to be quick, but for the screenshot, which is known by its size. */
const drawSmall = (name: string) => drawSample(name, name.includes('screenshot') ? {} : { width: 640 });
const measureSample = async (name: string) => measure(await drawSmall(name));
const names = ({ tags }: Measurements) => tags.map(({ name }) => name);

describe('a measured image', () => {
  test('has everything that search needs, as plain JSON, and tells its stages in order', async () => {
    const stages: [number, string][] = [];
    const measured = await measure(await drawSample('sunset-over-the-sea.jpg'), (...stage) => stages.push(stage));
    expect(JSON.parse(JSON.stringify(measured))).toEqual(measured);
    expect(measured).toMatchObject({ width: 1200, height: 800, embedding: { model: 'vd1' }, codes: [] });
    expect(measured.embedding.values).toHaveLength(256);
    expect(measured.hashes.pdq).toMatch(/^[0-9a-f]{64}$/);
    expect(measured.hashes.pdqTrimmed).toMatch(/^[0-9a-f]{64}$/);
    expect(measured.colors.dominant).toContain('purple');
    expect(stages).toEqual([[0, 'decoding'], [50, 'reading codes'], [75, 'measuring']]);
  });

  test('has every share, quality and confidence within 0..1', async () => {
    for (const measured of [await measureSample('red-car.jpg'), measureRaster(plain(300, 200, [255, 255, 255, 0]), whole), measureRaster(plain(1, 1, [0, 0, 0]), whole)]) {
      const numbers = [...Object.values(measured.quality), ...measured.tags.map(({ confidence }) => confidence), ...measured.colors.palette.map(({ share }) => share), measured.caption.confidence];
      for (const number of numbers) expect(number >= 0 && number <= 1).toBe(true);
      for (const { source, confidence } of measured.tags) expect([source, confidence >= 0.5]).toEqual(['local-heuristic', true]);
    }
  });

  test('is measured as it looks: what hides under transparent pixels changes no hash and no vector', async () => {
    const leaf = await sharp(await drawSample('green-leaf-cut-out.png', { width: 400 })).raw().toBuffer({ resolveWithObject: true });
    const shown = { width: leaf.info.width, height: leaf.info.height, channels: 4 as const, data: new Uint8Array(leaf.data) };
    const hidden = { ...shown, data: shown.data.slice() };
    for (let k = 0; k < hidden.data.length; k += 4) if (hidden.data[k + 3] === 0) hidden.data.set([k % 251, 90, 200], k);
    expect(measureRaster(hidden, whole)).toEqual(measureRaster(shown, whole));
  });

  test('that is plain within its border is known by the hash of the whole', async () => {
    const square = async (color: string, around: string) => {
      const { hashes } = await measure(await sharp({ create: { width: 300, height: 300, channels: 3, background: color } }).extend({ top: 60, bottom: 100, left: 80, right: 100, background: around }).png().toBuffer());
      expect(hashes.pdqQuality).toBeGreaterThanOrEqual(50);
      return hashes;
    };
    const [one, other] = [await square('blue', 'white'), await square('white', 'black')];
    expect(one.pdqTrimmed).toBe(one.pdq);
    expect(hammingDistance(one.pdqTrimmed, other.pdqTrimmed)).toBeGreaterThan(31);
  });

  test('is refused in the words of the decoder when it is no image', async () => {
    await expect(measure(Buffer.from('hello, this is text'))).rejects.toMatchObject({ code: 'UNSUPPORTED_TYPE' });
  });
});

describe('tags and captions', () => {
  test('say what was measured', async () => {
    const expected: Record<string, string[]> = {
      'red-car.jpg': ['landscape'],
      'night-city.jpg': ['landscape', 'dark', 'blue'],
      'blurred-street-lights.jpg': ['blurry', 'landscape'],
      'sailing-boat.webp': ['portrait', 'blue'],
      'chequerboard-black-white.png': ['greyscale', 'square', 'high contrast', 'black', 'white'],
      'text-page.png': ['document', 'graphic', 'greyscale', 'bright', 'portrait'],
      'dashboard-screenshot.png': ['screenshot', 'graphic'],
      'yellow-mug-on-white.jpg': ['square', 'white', 'yellow'],
      'green-leaf-cut-out.png': ['transparent', 'green'],
      'qr-code-poster.png': ['qr code', 'portrait'],
    };
    for (const [name, tags] of Object.entries(expected)) expect(names(await measureSample(name)), name).toEqual(expect.arrayContaining(tags));
  });

  test('do not say of a photograph that it is blurry, dark, grey or drawn', async () => {
    const seen = names(await measureSample('tulip-flowers.webp'));
    for (const tag of ['blurry', 'dark', 'bright', 'greyscale', 'graphic', 'document', 'screenshot', 'transparent', 'animated', 'qr code', 'barcode', 'square', 'portrait']) expect(seen).not.toContain(tag);
  });

  test('become surer the blurrier a picture is', async () => {
    const raster = await raster512(await drawSmall('red-car.jpg'));
    const image = await pngOf(raster);
    const sureness: number[] = [];
    for (const sigma of [4, 8, 16]) {
      const blurred = await raster512(await sharp(image).blur(sigma).png().toBuffer());
      sureness.push(measureRaster(blurred, whole).tags.find(({ name }) => name === 'blurry')?.confidence ?? 0);
    }
    expect(sureness[0]).toBeGreaterThan(0.5);
    expect(sureness).toEqual([...sureness].sort());
    expect(new Set(sureness).size).toBe(3);
  });

  test('tell an animation', async () => {
    const frames = await sharp([await pngOf(plain(60, 60, [255, 0, 0])), await pngOf(plain(60, 60, [0, 0, 255]))], { join: { animated: true } }).gif({ delay: [100, 100] }).toBuffer();
    const measured = await measure(frames);
    expect(names(measured)).toContain('animated');
    expect(measured.caption.text).toContain('animation');
  });

  test('make a sentence', async () => {
    expect((await measureSample('yellow-mug-on-white.jpg')).caption.text).toMatch(/^Square, bright (photo|graphic), mostly white and yellow$/);
    expect((await measureSample('text-page.png')).caption.text).toBe('Tall, bright, black-and-white document');
    expect((await measureSample('qr-code-poster.png')).caption.text).toMatch(/, with a QR code$/);
  });
});

describe('codes', () => {
  test('are read with their text and place', async () => {
    const { codes } = await measureSample('qr-code-poster.png');
    expect(codes).toHaveLength(1);
    expect(codes[0]).toMatchObject({ text: posterText });
    expect(codes[0]!.format).toMatch(/^QR/);
    const { x, y, width, height } = codes[0]!.box;
    const drawn = [190 / 800, 380 / 1100, 420 / 800, 420 / 1100];
    [x, y, width, height].forEach((value, i) => expect(Math.abs(value - drawn[i]!)).toBeLessThan(0.02));
  });

  test('are not seen where there are none', async () => {
    expect(await readCodes(await raster512(await drawSmall('night-city.jpg')))).toEqual([]);
  });
});

describe('a placeholder', () => {
  test('is under 40 characters and shows the colour of the picture', () => {
    const hash = thumbHash(plain(300, 200, [200, 30, 30]));
    expect(hash.length).toBeLessThan(40);
    expect(thumbHashToDataUri(hash)).toMatch(/^data:image\/png;base64,/);
    const red = Number.parseInt(thumbHashToHex(hash).slice(1, 3), 16);
    expect(Math.abs(red - 200)).toBeLessThan(12);
  });

  test('keeps the shape and the transparency', async () => {
    const tall = plain(100, 200, [0, 0, 0, 0]);
    tall.data.fill(255, 0, tall.data.length / 2);
    const png = Buffer.from(thumbHashToDataUri(thumbHash(tall)).split(',')[1]!, 'base64');
    const { width, height, hasAlpha } = await sharp(png).metadata();
    expect(hasAlpha).toBe(true);
    expect(height).toBeGreaterThan(width * 1.5);
  });
});

describe('quality', () => {
  test('falls when a picture is blurred, darkened or made flat', async () => {
    const raster = await raster512(await drawSmall('red-car.jpg'));
    const image = await pngOf(raster);
    const of = async (edited: Promise<Buffer>) => measureRaster(await raster512(await edited), whole).quality;
    const original = measureRaster(raster, whole).quality;
    expect((await of(sharp(image).blur(4).png().toBuffer())).sharpness).toBeLessThan(original.sharpness / 2);
    expect((await of(sharp(image).linear(0.3).png().toBuffer())).exposure).toBeLessThan(original.exposure / 2);
    expect((await of(sharp(image).linear(0.4, 70).png().toBuffer())).contrast).toBeLessThan(original.contrast / 2);
    expect((await of(sharp(image).blur(4).linear(0.3).png().toBuffer())).score).toBeLessThan(original.score);
  });
});
