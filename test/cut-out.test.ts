import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { composeFiles } from '../src/compute/cut-out/compose.ts';
import { cutOut, type CutOutInput } from '../src/compute/cut-out/index.ts';
import { createCompute } from '../src/compute/pool.ts';
import { ProviderError } from '../src/errors.ts';
import { createLog } from '../src/log.ts';
import { type Composed, composeScene, groundNames, intersectionOverUnion, subjectNames } from './cut-out-scenes.ts';

const limits = { maxSide: 16384, maxPixels: 64e6, maxAvifPixels: 32e6, maxFrames: 1000 };
const usual: CutOutInput['options'] = { output: 'BOTH', format: 'PNG', background: null, trim: false, padding: 0, aspectRatio: null, feather: 0, shadow: false, crop: null };
let folder: string;
beforeAll(async () => { folder = await mkdtemp(join(tmpdir(), 'cut-out-')); });
afterAll(() => rm(folder, { recursive: true }));

async function run(bytes: Buffer, options: Partial<CutOutInput['options']> = {}, progress: (percent: number, stage: string) => void = () => {}) {
  const outputFolder = await mkdtemp(join(folder, 'run-'));
  const path = join(outputFolder, 'input');
  await writeFile(path, bytes);
  const result = await cutOut({ path, limits, options: { ...usual, ...options }, outputFolder, model: null }, progress);
  const file = (kind: 'cutout' | 'mask') => result.files.find((one) => one.kind === kind)!;
  const pixels = async (kind: 'cutout' | 'mask', channels: 1 | 3 | 4) => {
    const image = sharp(file(kind).path);
    return (channels === 1 ? image.extractChannel(0) : channels === 4 ? image.ensureAlpha() : image).raw().toBuffer();
  };
  return { result, file, pixels };
}

/** Of one flat colour before another, with anti-aliased edges; both colours are far from white. */
const disc = (ground = '#1fa83a', subject = '#d01820') =>
  sharp(Buffer.from(`<svg width="600" height="450"><rect width="100%" height="100%" fill="${ground}"/><circle cx="320" cy="230" r="130" fill="${subject}"/></svg>`)).removeAlpha();

describe('the subject of a picture', () => {
  const leastShare = { plain: 0.85, bokeh: 0.75, clutter: 0.65 };
  for (const ground of groundNames) {
    test(`is found before a ${ground} background`, async () => {
      const shares: number[] = [];
      for (const name of subjectNames) {
        const scene = await composeScene(name, ground);
        const { pixels } = await run(await sharp(scene.png).jpeg({ quality: 88 }).toBuffer(), { output: 'MASK' });
        shares.push(intersectionOverUnion(await pixels('mask', 1), scene.truth));
      }
      expect(shares.reduce((sum, share) => sum + share, 0) / shares.length).toBeGreaterThan(leastShare[ground]);
    }, 120_000);
  }

  test('is told with coverage, box and confidence, and its stages in order', async () => {
    const stages: number[] = [];
    const { result } = await run(await disc().png().toBuffer(), {}, (percent) => stages.push(percent));
    expect(result.coverage).toBeCloseTo((Math.PI * 130 ** 2) / (600 * 450), 2);
    expect(result.box.x).toBeCloseTo(190 / 600, 2);
    expect(result.box.y).toBeCloseTo(100 / 450, 2);
    expect(result.box.width).toBeCloseTo(260 / 600, 1);
    expect(result.box.height).toBeCloseTo(260 / 450, 1);
    expect(result).toMatchObject({ damaged: false, model: null });
    expect(result.confidence).toBeGreaterThan(0.5);
    expect(result.confidence).toBeLessThanOrEqual(1);
    expect(stages).toEqual([...stages].sort((one, other) => one - other));
    expect(stages.length).toBeGreaterThanOrEqual(6);
    expect([stages[0], stages.at(-1)]).toEqual([0, 100]);
  });

  test('has edges of its own colour: a red disc from a green ground has no green rim on white', async () => {
    const { pixels } = await run(await disc().png().toBuffer(), { background: { color: '#ffffff' } });
    const cut = await pixels('cutout', 3);
    let greenest = 0;
    for (let k = 0; k < cut.length; k += 3) greenest = Math.max(greenest, cut[k + 1]! - cut[k]!);
    expect(greenest).toBeLessThanOrEqual(12);
  });

  test('has soft edges as narrow as those of the picture', async () => {
    const { pixels } = await run(await disc().png().toBuffer());
    const mask = await pixels('mask', 1);
    const row = [...mask.subarray(230 * 600, 231 * 600)];
    const mixed = row.filter((alpha) => alpha > 0 && alpha < 255).length;
    expect(mixed).toBeGreaterThanOrEqual(1);
    expect(mixed).toBeLessThanOrEqual(8);
  });

  test('fades over the feather that was asked for', async () => {
    const { pixels } = await run(await disc().png().toBuffer(), { feather: 12 });
    const mask = await pixels('mask', 1);
    const mixed = [...mask.subarray(230 * 600, 231 * 600)].filter((alpha) => alpha > 0 && alpha < 255).length;
    expect(mixed).toBeGreaterThanOrEqual(24);
    expect(mixed).toBeLessThanOrEqual(64);
    expect(mask[230 * 600 + 320]).toBe(255);
  });

  test('is missing from one even colour, a gradient and even noise, and the failure says so', async () => {
    const even = await sharp({ create: { width: 300, height: 200, channels: 3, background: '#88aacc' } }).png().toBuffer();
    await expect(run(even)).rejects.toThrow(/No subject was found/);
    await expect(run(even)).rejects.toMatchObject({ code: 'NO_SUBJECT', retryable: false, hint: expect.stringMatching(/one clear subject/) });
    await expect(run(even)).rejects.toBeInstanceOf(ProviderError);
    const gradient = Buffer.from('<svg width="300" height="200"><defs><linearGradient id="g" x2="0.6" y2="1"><stop stop-color="#fff"/><stop offset="1" stop-color="#258"/></linearGradient></defs><rect width="100%" height="100%" fill="url(#g)"/></svg>');
    await expect(run(await sharp(gradient).png().toBuffer())).rejects.toMatchObject({ code: 'NO_SUBJECT' });
    const noise = await sharp({ create: { width: 300, height: 200, channels: 3, noise: { type: 'gaussian', mean: 128, sigma: 30 }, background: '#888' } }).png().toBuffer();
    await expect(run(noise)).rejects.toMatchObject({ code: 'NO_SUBJECT' });
    await expect(run(await sharp({ create: { width: 1, height: 1, channels: 3, background: '#fff' } }).png().toBuffer())).rejects.toMatchObject({ code: 'NO_SUBJECT' });
  });
});

describe('a cut-out', () => {
  let scene: Composed;
  beforeAll(async () => { scene = await composeScene('star', 'plain', 600, 450); });

  test('is trimmed to the subject with the padding asked for, and its mask fits it', async () => {
    const tight = await run(scene.png, { trim: true });
    const wide = await run(scene.png, { trim: true, padding: 0.1 });
    const longer = Math.max(tight.file('cutout').width, tight.file('cutout').height);
    expect(wide.file('cutout').width).toBe(tight.file('cutout').width + 2 * Math.round(0.1 * longer));
    expect([wide.file('mask').width, wide.file('mask').height]).toEqual([wide.file('cutout').width, wide.file('cutout').height]);
    expect(tight.file('cutout').width).toBe(Math.round(tight.result.box.width * 600));
    const alpha = await sharp(await wide.pixels('cutout', 4), { raw: { width: wide.file('cutout').width, height: wide.file('cutout').height, channels: 4 } }).extractChannel(3).raw().toBuffer();
    expect(alpha.equals(await wide.pixels('mask', 1))).toBe(true);
  });

  test('keeps the whole frame without trim', async () => {
    const { file } = await run(scene.png);
    expect(file('cutout')).toMatchObject({ width: 600, height: 450, contentType: 'image/png' });
  });

  test('lies on a colour, or on another picture that covers the frame, and is then opaque', async () => {
    const onColor = await run(scene.png, { background: { color: '#0000ff' } });
    expect((await sharp(onColor.file('cutout').path).metadata()).hasAlpha).toBe(false);
    expect([...(await onColor.pixels('cutout', 3)).subarray(0, 3)]).toEqual([0, 0, 255]);

    const path = join(folder, 'behind.png');
    await sharp({ create: { width: 90, height: 200, channels: 3, background: '#ff00ff' } }).png().toFile(path);
    for (const shadow of [false, true]) {
      const onPicture = await run(scene.png, { background: { path }, shadow });
      expect(onPicture.file('cutout')).toMatchObject({ width: 600, height: 450 });
      const pixels = await onPicture.pixels('cutout', 3);
      expect(pixels).toHaveLength(600 * 450 * 3);
      for (const corner of [0, 599, 449 * 600, 450 * 600 - 1]) expect([...pixels.subarray(corner * 3, corner * 3 + 3)]).toEqual([255, 0, 255]);
    }
  });

  test('of a part of the picture says where it is in the whole', async () => {
    const whole = await run(scene.png, { trim: true });
    const { x, y, width, height } = whole.result.box;
    const crop = { x: x - 0.1, y: y - 0.1, width: width + 0.15, height: height + 0.15 };
    const part = await run(scene.png, { crop });
    expect(part.file('cutout')).toMatchObject({ width: Math.round((crop.x + crop.width) * 600) - Math.round(crop.x * 600), height: Math.round((crop.y + crop.height) * 450) - Math.round(crop.y * 450) });
    for (const key of ['x', 'y', 'width', 'height'] as const) expect(part.result.box[key]).toBeCloseTo(whole.result.box[key], 1);
    expect(part.result.coverage).toBeCloseTo(whole.result.coverage, 1);
  });

  test('grows to the shape that was asked for with the subject in its middle, on a JPEG too', async () => {
    const tight = await run(scene.png, { trim: true });
    const wide = await run(scene.png, { trim: true, aspectRatio: 2, format: 'JPEG', background: { color: '#00ff00' } });
    const [before, after] = [tight.file('cutout'), wide.file('cutout')];
    expect(after).toMatchObject({ contentType: 'image/jpeg', width: 2 * before.height, height: before.height });
    expect(wide.file('mask')).toMatchObject({ contentType: 'image/png', width: after.width, height: after.height });
    const mask = await wide.pixels('mask', 1);
    const before0 = (after.width - before.width) >> 1;
    const columns = Array.from({ length: after.width }, (_, x) => mask.some((alpha, i) => i % after.width === x && alpha > 8));
    expect([columns.indexOf(true), columns.lastIndexOf(true)]).toEqual([before0, before0 + before.width - 1]);
    const [red, green, blue] = await wide.pixels('cutout', 3);
    expect([red! < 12, green! > 243, blue! < 12]).toEqual([true, true, true]);
  });

  test('whose frame would grow beyond 4096 px is scaled down with it', async () => {
    const wide = await sharp({ create: { width: 4000, height: 300, channels: 4, background: '#d01820' } }).extend({ left: 48, right: 48, top: 50, bottom: 50, background: '#00000000' }).png().toBuffer();
    const { file, pixels, result } = await run(wide, { trim: true, padding: 0, aspectRatio: 0.1, format: 'WEBP', shadow: true });
    expect(file('cutout')).toMatchObject({ width: 409, height: expect.closeTo(4096, -0.5) });
    expect(result.box.width).toBeCloseTo(4000 / 4096, 3);
    const mask = await pixels('mask', 1);
    const rows = Array.from({ length: file('mask').height }, (_, y) => mask[y * 409 + 204]! > 128);
    expect(rows.filter(Boolean).length).toBeCloseTo(30, -0.5);
    expect(mask[rows.indexOf(true) * 409 + 409 + 2]).toBeGreaterThan(128);
  });

  test.each([[{ maxSide: 60 }, 60], [{ maxPixels: 10_000 }, 100]])('is one that may be uploaded again: %j', async (limit, side) => {
    const subject = { width: 100, height: 100, channels: 4 as const, data: new Uint8Array(40_000).fill(255) };
    const [file] = await composeFiles(subject, { x: 0, y: 0, width: 100, height: 100 }, { ...usual, trim: true, padding: 1 }, { ...limits, ...limit }, folder);
    expect(file).toMatchObject({ width: side, height: side });
  });

  test('throws a soft dark shadow below itself, within its frame', async () => {
    const bare = await run(scene.png, { trim: true });
    const shaded = await run(scene.png, { trim: true, shadow: true });
    expect(shaded.file('cutout').height).toBeGreaterThan(bare.file('cutout').height);
    const { width } = shaded.file('cutout');
    const pixels = await shaded.pixels('cutout', 4);
    const mask = await shaded.pixels('mask', 1);
    let shadow = 0;
    for (let i = 0; i < mask.length; i++) {
      if (mask[i] !== 0 || pixels[i * 4 + 3]! < 20) continue;
      shadow++;
      expect(Math.max(pixels[i * 4]!, pixels[i * 4 + 1]!, pixels[i * 4 + 2]!)).toBeLessThan(12);
      expect(pixels[i * 4 + 3]).toBeLessThan(128);
    }
    expect(shadow).toBeGreaterThan(width);
  });

  test('is what was asked for and nothing else: cut-out, mask or both, as PNG or WebP', async () => {
    const kinds = async (options: Partial<CutOutInput['options']>) => (await run(scene.png, options)).result.files.map(({ kind, contentType }) => `${kind} ${contentType}`);
    expect(await kinds({ output: 'CUTOUT' })).toEqual(['cutout image/png']);
    expect(await kinds({ output: 'MASK', format: 'WEBP' })).toEqual(['mask image/webp']);
    expect(await kinds({ output: 'BOTH', format: 'WEBP' })).toEqual(['cutout image/webp', 'mask image/webp']);
    const { file } = await run(scene.png, { format: 'WEBP' });
    expect(await sharp(file('cutout').path).metadata()).toMatchObject({ format: 'webp', hasAlpha: true, width: 600, height: 450 });
  });

  test('of a picture that has transparency keeps that alpha, whatever else is in it', async () => {
    const { pixels, result } = await run(scene.subject, { output: 'MASK' });
    const mask = await pixels('mask', 1);
    let worst = 0;
    for (let i = 0; i < mask.length; i++) worst = Math.max(worst, Math.abs(mask[i]! - scene.truth[i]!));
    expect(worst).toBe(0);
    expect(result.confidence).toBe(1);
  });

  test('of a picture that is stored on its side stands upright', async () => {
    const turned = await sharp(scene.png).rotate(90).withMetadata({ orientation: 8 }).jpeg({ quality: 92 }).toBuffer();
    expect(await sharp(turned).metadata()).toMatchObject({ width: 450, height: 600, orientation: 8 });
    const { file, pixels } = await run(turned);
    expect(file('mask')).toMatchObject({ width: 600, height: 450 });
    expect(intersectionOverUnion(await pixels('mask', 1), scene.truth)).toBeGreaterThan(0.95);
  });

  test('is made of a BMP like of any other picture', async () => {
    const { file, pixels } = await run(await bmpOf(scene.png));
    expect(file('cutout')).toMatchObject({ width: 600, height: 450 });
    expect(intersectionOverUnion(await pixels('mask', 1), scene.truth)).toBeGreaterThan(0.95);
  });
});

test('a cut-out in a compute child gives the same files, stays below 400 MB, and dies when its signal says so', async () => {
  const compute = createCompute({ processes: 1, memoryLimitBytes: 400e6, log: createLog('silent') });
  try {
    const { png } = await composeScene('car', 'bokeh', 1600, 1200);
    const outputFolder = await mkdtemp(join(folder, 'child-'));
    const path = join(outputFolder, 'input');
    await writeFile(path, png);
    const input: CutOutInput = { path, limits, options: { ...usual, shadow: true, trim: true, padding: 0.05 }, outputFolder, model: null };
    const { output, peakRssBytes } = await compute.run('cutOut', input, { timeoutMs: 60_000 });
    expect(output.files.map(({ kind }) => kind)).toEqual(['cutout', 'mask']);
    for (const file of output.files) expect(await sharp(file.path).metadata()).toMatchObject({ width: file.width, height: file.height });
    expect(peakRssBytes).toBeLessThan(400e6);

    const stop = new AbortController();
    const stopped = compute.run('cutOut', input, { timeoutMs: 60_000, signal: stop.signal, onProgress: () => stop.abort(new Error('enough')) });
    await expect(stopped).rejects.toThrow('enough');
  } finally {
    await compute.close();
  }
}, 90_000);

/** 24 bits, bottom up; a width divisible by four needs no padding of rows. */
async function bmpOf(png: Buffer): Promise<Buffer> {
  const { data, info } = await sharp(png).removeAlpha().flip().raw().toBuffer({ resolveWithObject: true });
  const header = Buffer.alloc(54);
  header.write('BM', 'latin1');
  header.writeUInt32LE(54 + data.length, 2);
  header.writeUInt32LE(54, 10);
  header.writeUInt32LE(40, 14);
  header.writeInt32LE(info.width, 18);
  header.writeInt32LE(info.height, 22);
  header.writeUInt16LE(1, 26);
  header.writeUInt16LE(24, 28);
  for (let k = 0; k < data.length; k += 3) [data[k], data[k + 2]] = [data[k + 2]!, data[k]!];
  return Buffer.concat([header, data]);
}
