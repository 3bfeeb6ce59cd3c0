import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { drawSample, sampleNames } from '../src/compute/draw.ts';

describe('sample pictures', () => {
  test('are of the format that their name says, and wide, tall and square', async () => {
    expect(sampleNames.length).toBeGreaterThanOrEqual(16);
    const shapes = new Set<number>();
    for (const name of sampleNames) {
      const { format, width, height } = await sharp(await drawSample(name, { width: 320 })).metadata();
      expect(name.endsWith(`.${format === 'jpeg' ? 'jpg' : format}`), name).toBe(true);
      shapes.add(Math.sign(width - height));
    }
    expect([...shapes].sort()).toEqual([-1, 0, 1]);
  });

  test('are the same bytes each time', async () => {
    for (const name of ['night-city.jpg', 'tulip-flowers.webp', 'qr-code-poster.png']) {
      expect((await drawSample(name, { width: 300 })).equals(await drawSample(name, { width: 300 })), name).toBe(true);
    }
  });

  test('are drawn at the size asked for; one side alone keeps the shape', async () => {
    const size = async (options: { width?: number; height?: number }) => {
      const { width, height } = await sharp(await drawSample('red-car.jpg', options)).metadata();
      return [width, height];
    };
    expect(await size({ width: 300, height: 300 })).toEqual([300, 300]);
    expect(await size({ width: 300 })).toEqual([300, 200]);
    expect(await size({ height: 300 })).toEqual([450, 300]);
    expect(await size({})).toEqual([1200, 800]);
  });

  test('that do not exist are refused with the names of those that do', async () => {
    await expect(drawSample('blue-car.jpg')).rejects.toThrow(/^Expected one of sunset-over-the-sea.jpg, .* but received "blue-car.jpg"$/);
  });
});
