import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { type RenditionWish, shapeOf, signRendition, verifyRendition } from '../src/assets/rendition.ts';
import { chooseFormat } from '../src/assets/serve-renditions.ts';
import { readConfig } from '../src/config.ts';
import { signPath } from '../src/storage/signature.ts';

const secret = 'a secret of the tests, long enough';
const image = { id: '6f1c8a52-6d1c-4a57-9d0f-0d4a5f5b7e11', width: 4000, height: 3000 };
const wish: RenditionWish & { expiresInSeconds: number; download: boolean } = { width: 400, height: null, fit: 'INSIDE', crop: null, focus: null, format: 'AUTO', quality: 80, expiresInSeconds: 86_400, download: false };

/** All that signing gets: no database, no storage, no compute. */
const server = (environment: Record<string, string> = {}) => ({ config: readConfig(environment), signUrl: (path: string) => `http://here${signPath(secret, path)}` });
const sign = (changes: Partial<typeof wish> = {}, environment: Record<string, string> = {}) => signRendition(server(environment), image, { ...wish, ...changes }, { ...wish, ...changes });
const refusal = (changes: Partial<typeof wish>, environment: Record<string, string> = {}): string => {
  try {
    sign(changes, environment);
  } catch (error) {
    return String(error);
  }
  return 'no refusal';
};
const pathOf = (url: string) => url.slice('http://here'.length);

describe('the size of a rendition', () => {
  test.each([
    ['INSIDE', 400, null, 400, 300],
    ['INSIDE', null, 300, 400, 300],
    ['INSIDE', 400, 400, 400, 300],
    ['INSIDE', 4000, 100, 133, 100],
    ['INSIDE', 4096, 4096, 4000, 3000],
    ['INSIDE', 1, 1, 1, 1],
    ['COVER', 400, null, 400, 300],
    ['COVER', 400, 400, 400, 400],
    ['COVER', 4000, 4000, 3000, 3000],
    ['COVER', 4096, 2048, 4000, 2000],
    ['CONTAIN', null, 4096, 4000, 3000],
    ['CONTAIN', 400, 400, 400, 400],
    ['CONTAIN', 4096, 4096, 4000, 4000],
    ['CONTAIN', 1000, 4096, 1000, 4096],
    ['INSIDE', null, null, 4000, 3000],
    ['COVER', null, null, 4000, 3000],
    ['INSIDE', 5000, null, 4000, 3000],
    ['COVER', 2 ** 31 - 1, 2 ** 31 - 1, 3000, 3000],
    ['COVER', 10_000, 5000, 4000, 2000],
    ['CONTAIN', 1000, 8192, 500, 4096],
  ] as const)('%s of %s×%s from 4000×3000 is %i×%i', (fit, width, height, expectedWidth, expectedHeight) => {
    expect(shapeOf(image, { width, height, fit }, 4096)).toMatchObject({ width: expectedWidth, height: expectedHeight });
  });

  test('nothing is enlarged and no side is zero, whatever the proportions', () => {
    for (const [width, height] of [[50, 16_384], [16_384, 50], [51, 53], [1, 1], [4096, 4095]] as const) {
      for (const fit of ['INSIDE', 'COVER', 'CONTAIN'] as const) {
        for (const [wantedWidth, wantedHeight] of [[1, 1], [4096, 4096], [4096, 1], [7, 4001], [4096, null], [null, 4096], [1, null]] as const) {
          const shape = shapeOf({ width, height }, { width: wantedWidth, height: wantedHeight, fit }, 4096);
          const scales = [shape.width / width, shape.height / height];
          // A side may be rounded up to its first pixel.
          const scale = shape.fit === 'contain' ? Math.min(...scales) : Math.max(...scales.map((one, index) => (index === 0 ? shape.width : shape.height) === 1 ? 0 : one));
          expect(scale, JSON.stringify({ width, height, fit, wantedWidth, wantedHeight, shape })).toBeLessThanOrEqual(1);
          expect(Math.min(shape.width, shape.height)).toBeGreaterThanOrEqual(1);
          expect(Math.max(shape.width, shape.height)).toBeLessThanOrEqual(4096);
        }
      }
    }
  });
});

describe('a part of a picture', () => {
  const part = (changes: Partial<typeof wish>) => {
    const verdict = verifyRendition(secret, pathOf(sign(changes).url));
    if ('refused' in verdict) throw new Error(verdict.refused);
    const { crop, width, height, fit } = verdict.grant;
    return { crop, width, height, fit };
  };
  const half = { x: 0.5, y: 0, width: 0.5, height: 1 };

  test('is a picture of its own: it fits, covers and is not enlarged as that would', () => {
    const crop = { left: 2000, top: 0, width: 2000, height: 3000 };
    expect(part({ crop: half })).toEqual({ crop, width: 400, height: 600, fit: 'fill' });
    expect(part({ crop: half, width: 4000, height: 4000, fit: 'COVER' })).toEqual({ crop, width: 2000, height: 2000, fit: 'cover' });
    expect(part({ crop: half, width: 300, height: 300, fit: 'CONTAIN' })).toEqual({ crop, width: 300, height: 300, fit: 'contain' });
    expect(part({ crop: { x: 1, y: 1, width: 1e-9, height: 1e-9 } }).crop).toEqual({ left: 3999, top: 2999, width: 1, height: 1 });
    expect(part({ crop: { x: 0, y: 0, width: 1, height: 1 } })).toEqual(part({}));
  });

  test.each([
    [{ x: 0.5, y: 0.5 }, null, { left: 500, top: 0, width: 3000, height: 3000 }],
    [{ x: 0, y: 0 }, null, { left: 0, top: 0, width: 3000, height: 3000 }],
    [{ x: 1, y: 0.2 }, null, { left: 1000, top: 0, width: 3000, height: 3000 }],
    [{ x: 0.4, y: 0.9 }, null, { left: 100, top: 0, width: 3000, height: 3000 }],
    [{ x: 0, y: 0.6 }, half, { left: 2000, top: 800, width: 2000, height: 2000 }],
  ])('with the focus %j and the crop %j a square is cut around it', (focus, crop, expected) => {
    expect(part({ width: 100, height: 100, fit: 'COVER', focus, crop })).toEqual({ crop: expected, width: 100, height: 100, fit: 'fill' });
  });

  test.each([
    [{ crop: { x: 0.6, y: 0, width: 0.5, height: 1 } }, 'Expected crop as fractions of the picture that lie within it but received x 0.6, y 0, width 0.5, height 1'],
    [{ crop: { x: 0, y: 0, width: 0, height: 1 } }, 'width 0'],
    [{ crop: { x: NaN, y: 0, width: 1, height: 1 } }, 'x NaN'],
    [{ crop: { x: -0.1, y: 0, width: 1, height: 1 } }, 'x -0.1'],
    [{ width: 10, height: 10, fit: 'COVER', focus: { x: 0.5, y: 1.1 } }, 'Expected focus as fractions from 0 to 1 but received x 0.5, y 1.1'],
    [{ focus: { x: 0.5, y: 0.5 } }, 'Expected focus with fit COVER, a width and a height only'],
  ] as const)('%j is refused', (changes, message) => {
    expect(refusal(changes)).toContain(message);
  });

  test('a server with fixed sizes cuts nothing out', () => {
    expect(refusal({ width: 320, crop: half }, { RENDITION_SIZES: '320' })).toContain('Expected no crop and no focus');
  });
});

describe('the URL of a rendition', () => {
  test('says the size that will come, and for how long it works', () => {
    const { url, expiresAt, width, height, format } = sign({ width: 5, height: 4096, format: 'WEBP', download: true });
    expect({ width, height, format }).toEqual({ width: 5, height: 4, format: 'WEBP' });
    expect(verifyRendition(secret, pathOf(url))).toEqual({
      grant: { imageId: image.id, crop: null, width: 5, height: 4, fit: 'fill', format: 'WEBP', quality: 80, download: true, expires: expiresAt.getTime() / 1000 },
    });
    expect(expiresAt.getTime() - Date.now()).toBeGreaterThanOrEqual(86_399_000);
    expect(expiresAt.getTime() - Date.now()).toBeLessThanOrEqual(86_400_000 * 1.25);
  });

  test('is the same for six hours for everybody who asks for the same, so browsers keep what it gave', () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    onTestFinished(() => void vi.useRealTimers());
    vi.setSystemTime('2027-03-01T06:00:01Z');
    const first = sign();
    vi.setSystemTime('2027-03-01T11:59:59Z');
    expect(sign().url).toBe(first.url);
    vi.setSystemTime('2027-03-01T12:00:01Z');
    expect(sign().url).not.toBe(first.url);
    expect(sign({ width: 4000 }).url).toBe(sign({ width: 4096 }).url);
  });

  test('holds every parameter: none can be changed, added or left out', () => {
    const path = pathOf(sign().url);
    const changed = [...path].map((character, at) => path.slice(0, at) + (character === 'x' ? 'y' : 'x') + path.slice(at + 1));
    const others = [path.replace('width=400', 'width=401'), path.replace('&signature', '&download=true&signature'), `${path}&download=true`, path.replace(/&quality=\d+/, ''), path.replace(image.id, image.id.replace('6', '7'))];
    for (const wrong of [...changed, ...others]) expect(verifyRendition(secret, wrong), wrong).toEqual({ refused: 'WRONG' });
  });

  test.each([
    [{ width: 0 }, 'Expected width of at least 1 pixel for a rendition but received 0'],
    [{ height: -1 }, 'Expected height of at least 1 pixel for a rendition but received -1'],
    [{ quality: 0 }, 'Expected quality between 1 and 100 for a rendition but received 0'],
    [{ quality: 101 }, 'received 101'],
    [{ expiresInSeconds: 59 }, 'Expected expiresIn between 60 and 604800 seconds but received 59'],
  ])('%j is refused with the limit and the actual value', (changes, message) => {
    expect(refusal(changes)).toContain(message);
  });

  test('the longest side is a setting', () => {
    expect(sign({ width: 1001 }, { RENDITION_MAX_SIDE: '1000' }).width).toBe(1000);
    expect(() => readConfig({ RENDITION_MAX_SIDE: '20000', RENDITION_CACHE_SIZE: '1MB' })).toThrow(/RENDITION_MAX_SIDE must be between 1 and 16383 but is 20000[^]*RENDITION_CACHE_SIZE must be at least 100MB/);
    expect(shapeOf({ width: 100, height: 10_000 }, { width: 50, height: null, fit: 'INSIDE' }, 1000)).toMatchObject({ width: 10, height: 1000 });
  });

  test('a server with fixed sizes gives these and no others, at one quality', () => {
    const fixed = { RENDITION_SIZES: '320, x480,256x256' };
    expect(sign({ width: 320 }, fixed).width).toBe(320);
    expect(sign({ width: null, height: 480 }, fixed).height).toBe(480);
    expect(sign({ width: 256, height: 256, fit: 'COVER' }, fixed)).toMatchObject({ width: 256, height: 256 });
    expect(refusal({ width: null }, fixed)).toContain('for a rendition but received none');
    expect(refusal({ width: 321 }, fixed)).toContain('Expected one of the sizes of this server (320, x480, 256x256) for a rendition but received 321');
    expect(refusal({ width: null, height: 320 }, fixed)).toContain('received x320');
    expect(refusal({ width: 320, height: 480 }, fixed)).toContain('received 320x480');
    expect(refusal({ width: 320, quality: 81 }, fixed)).toContain('Expected quality 80');
    expect(() => readConfig({ RENDITION_SIZES: '320,big' })).toThrow(/RENDITION_SIZES: Expected sizes such as/);
  });
});

test.each([
  ['image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8', false, 'AVIF'],
  ['image/webp,*/*', false, 'WEBP'],
  ['IMAGE/WEBP ; q=0.5', true, 'WEBP'],
  ['image/avif;q=0, image/webp;q=0.0', true, 'PNG'],
  ['image/avif;q=0.1', false, 'AVIF'],
  ['*/*', false, 'JPEG'],
  ['image/*', true, 'PNG'],
  [undefined, false, 'JPEG'],
  [undefined, true, 'PNG'],
])('with Accept %j and transparency %s AUTO means %s', (accept, hasAlpha, format) => {
  expect(chooseFormat(accept, hasAlpha)).toBe(format);
});
