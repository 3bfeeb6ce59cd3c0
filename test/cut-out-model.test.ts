import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cutOut, type CutOutInput } from '../src/compute/cut-out/index.ts';
import { readConfig } from '../src/config.ts';
import { chooseProvider, defaultProvider } from '../src/operations/index.ts';
import { removeBackground } from '../src/operations/remove-background/operation.ts';
import { colorModel } from './fixtures/onnx.ts';

const limits = { maxSide: 16384, maxPixels: 64e6, maxAvifPixels: 32e6, maxFrames: 1000 };
const options: CutOutInput['options'] = { output: 'BOTH', format: 'PNG', background: null, trim: false, padding: 0, aspectRatio: null, feather: 0, shadow: false, crop: null };
const runtime = fileURLToPath(new URL('../node_modules/onnxruntime-node', import.meta.url));

describe.skipIf(!existsSync(runtime))('a model of the U²-Net family', () => {
  let folder: string;
  let picture: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cut-out-model-'));
    picture = join(folder, 'picture.png');
    // A red band on a blue ground, both far into the corner: no guess from the pixels alone would take the left half for the subject.
    await sharp(Buffer.from('<svg width="640" height="480"><rect width="100%" height="100%" fill="#2030d0"/><rect width="320.5" height="480" fill="#d02030"/></svg>')).removeAlpha().png().toFile(picture);
  });
  afterAll(() => rm(folder, { recursive: true }));

  async function run(bytes: Buffer | null, name: string) {
    const path = join(folder, name);
    if (bytes) await writeFile(path, bytes);
    return cutOut({ path: picture, limits, options, outputFolder: folder, model: { path } }, () => {});
  }
  const maskPixels = () => sharp(join(folder, 'mask.png')).extractChannel(0).raw().toBuffer();
  const redModel = (side: number) => colorModel(side, [8, 0, -8], 0);

  for (const [family, side] of [['U²-Net', 320], ['IS-Net', 1024]] as const) {
    test(`with the square of ${family} decides what the subject is, and the refined alpha has the edge of the picture`, async () => {
      const bytes = redModel(side);
      const result = await run(bytes, `red-${side}.onnx`);
      expect(result.model).toEqual({ sha256: createHash('sha256').update(bytes).digest('hex'), side });
      expect(result.coverage).toBeCloseTo(320.5 / 640, 2);
      expect(result.box).toEqual({ x: 0, y: 0, width: expect.closeTo(0.5, 1), height: 1 });
      expect(result.confidence).toBeGreaterThan(0.9);
      const mask = await maskPixels();
      for (const y of [3, 240, 476]) {
        const row = mask.subarray(y * 640, (y + 1) * 640);
        expect([row[0], row[160], row[310]]).toEqual([255, 255, 255]);
        expect(Math.abs(row[320]! - 128)).toBeLessThanOrEqual(24);
        expect([row[330], row[480], row[639]]).toEqual([0, 0, 0]);
      }
    }, 60_000);
  }

  test('that sees nothing says that there is no subject', async () => {
    await expect(run(colorModel(320, [0, 0, 0], -6), 'blind.onnx')).rejects.toMatchObject({ code: 'NO_SUBJECT', retryable: false });
  });

  test('is read again when its file has changed', async () => {
    const red = await run(redModel(64), 'changing.onnx');
    const blue = await run(colorModel(64, [-8, 0, 8], 0), 'changing.onnx');
    expect(red.box.x).toBe(0);
    expect(blue.box.x).toBeCloseTo(0.5, 1);
    expect(blue.model?.sha256).not.toBe(red.model?.sha256);
  });

  test('is shown with its checksum, and runs unasked; one that is gone since the start is said to be, and nothing weaker takes its place', async () => {
    const path = join(folder, 'shown.onnx');
    await writeFile(path, '');
    const config = readConfig({ U2NET_MODEL_PATH: path });
    await rm(path);
    expect(() => chooseProvider(removeBackground, null, config)).toThrow(/no such file/);
    for (const bytes of [redModel(64), redModel(32)]) {
      await writeFile(path, bytes);
      const provider = defaultProvider(removeBackground, config);
      expect(provider?.name).toBe('u2net');
      expect(await provider?.modelChecksum?.(config)).toBe(createHash('sha256').update(bytes).digest('hex'));
    }
  });

  test('that is missing, or is no model, is said, with what helps and without telling where it lies', async () => {
    await expect(run(null, 'absent.onnx')).rejects.toMatchObject({ code: 'MODEL_MISSING', retryable: false, message: expect.stringContaining('no such file'), hint: expect.stringContaining('U2NET_MODEL_PATH') });
    await expect(run(Buffer.from('<html>not found</html>'), 'page.onnx')).rejects.toMatchObject({ code: 'MODEL_MISSING', message: expect.stringMatching(/cannot be read(?!.*\.onnx)/s), hint: expect.stringContaining('checksum') });
  });
});
