import { colorsNamed } from 'culori';
import { describe, expect, test } from 'vitest';
import { colorName, colorNames, type ColorName } from '../src/compute/color-names.ts';
import { colorLikeness } from '../src/compute/color-likeness.ts';
import { labDistanceSquared, labToHex, rgbToLab } from '../src/compute/oklab.ts';
import { measureColors } from '../src/compute/palette.ts';
import { hexOf, parseColor } from '../src/compute/parse-color.ts';
import type { Raster } from '../src/compute/raster.ts';
import { areaAverage, onWhite } from '../src/compute/resample.ts';
import { plain } from './measure-edits.ts';

/** The word in a CSS colour name that says the basic colour, or the basic colour that everybody takes it for. */
const words: [RegExp, ColorName][] = [
  [/red$|crimson|maroon|firebrick|tomato/, 'red'], [/green$|lime$|olive$|olivedrab|chartreuse/, 'green'], [/blue$|navy/, 'blue'], [/(gray|grey)$|silver|gainsboro/, 'gray'],
  [/brown$|chocolate|sienna|peru|^tan$|burlywood/, 'brown'], [/pink$/, 'pink'], [/white(smoke)?$|snow|ivory/, 'white'], [/black/, 'black'],
  [/purple$|violet$|orchid$|magenta$|fuchsia|indigo|plum/, 'purple'], [/orange$|coral$/, 'orange'], [/yellow$|^gold$/, 'yellow'], [/teal|cyan$|aqua$|turquoise$/, 'teal'],
];

/** A 128x128 raster whose pixel colours are given by place (0..1). */
function painted(color: (x: number, y: number) => number[]): Raster {
  const data = new Uint8Array(128 * 128 * 3);
  for (let i = 0; i < 128 * 128; i++) data.set(color((i % 128) / 128, Math.floor(i / 128) / 128), i * 3);
  return { width: 128, height: 128, channels: 3, data };
}

describe('colour names', () => {
  test('agree with at least 95 of 119 CSS colours whose name says what they are', () => {
    const judged = Object.entries(colorsNamed).flatMap(([name, value]) => {
      const said = words.find(([pattern]) => pattern.test(name))?.[1];
      return said ? [{ said, seen: colorName(rgbToLab(value >> 16, (value >> 8) & 255, value & 255)) }] : [];
    });
    expect(judged).toHaveLength(119);
    expect(judged.filter(({ said, seen }) => said === seen).length).toBeGreaterThanOrEqual(95);
  });

  test('are each given to some colour', () => {
    const seen = new Set<string>();
    for (let r = 0; r < 256; r += 15) for (let g = 0; g < 256; g += 15) for (let b = 0; b < 256; b += 15) seen.add(colorName(rgbToLab(r, g, b)));
    expect([...seen].sort()).toEqual([...colorNames]);
  });
});

describe('OKLab', () => {
  test('has the coordinates its author publishes for red, and white at L = 1', () => {
    const [L, a, b] = rgbToLab(255, 0, 0);
    expect([L, a, b].map((value) => value.toFixed(3))).toEqual(['0.628', '0.225', '0.126']);
    expect(rgbToLab(255, 255, 255)[0]).toBeCloseTo(1, 5);
  });

  test('comes back to the same 8-bit colour', () => {
    for (const hex of ['#000000', '#ffffff', '#cc0000', '#123456', '#fedcba', '#00ff7f']) {
      const [r, g, b] = [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
      expect(labToHex(rgbToLab(r!, g!, b!))).toBe(hex);
    }
  });

  test('is what a CSS text of any kind is parsed to', () => {
    const red = rgbToLab(204, 0, 0);
    for (const text of ['#c00', 'c00', '#CC0000', 'rgb(204, 0, 0)', 'rgb(80% 0% 0%)', 'hsl(0 100% 40%)', ' #c00 ']) {
      expect(labDistanceSquared(parseColor(text)!, red), text).toBeLessThan(1e-6);
    }
    expect(parseColor('RebeccaPurple')).not.toBeNull();
    expect(parseColor('oklch(0.5 none none)')).toEqual([0.5, 0, 0]);
    for (const text of ['', 'reddish', '#12', 'transparent', 'url(x)']) expect(parseColor(text), text).toBeNull();
  });

  test('every text for a colour comes to the same six digits, and none with transparency does', () => {
    for (const text of ['#fff', '#FFFFFF', '#ffff', ' White ', 'rgb(255 255 255)', 'hsl(0 0% 100% / 1)']) expect(hexOf(text), text).toBe('#ffffff');
    for (const text of ['', 'reddish', '#12', 'transparent', '#ffffff80', 'rgb(255 255 255 / 50%)']) expect(hexOf(text), text).toBeNull();
    expect([hexOf('teal'), hexOf('color(display-p3 0 1 0)'), hexOf('hsl(none 0% 50%)')]).toEqual(['#008080', '#00ff00', '#808080']);
  });
});

describe('the likeness of colours', () => {
  const likeness = (one: string, other: string) => colorLikeness(parseColor(one)!, parseColor(other)!);

  test('is 1 for the same colour, the same both ways, and less the less they look alike', () => {
    for (const color of ['black', 'white', 'teal', '#e3912f', '#0c0e0d']) expect(likeness(color, color), color).toBe(1);
    expect(likeness('#e3912f', '#f19964')).toBe(likeness('#f19964', '#e3912f'));
    for (const [color, ...others] of [['#e3912f', '#e4952f', '#cf8a53', '#83552f', '#bbac80'], ['#c8201e', '#b61f23', '#b26156', '#d76642', '#f2b674'], ['#63a7db', '#5387bf', '#334a69', '#3c7278', '#1d5239'], ['black', '#0c0e0d', '#161308', '#302d28', '#808080']] as const) {
      const likes = others.map((other) => likeness(color, other));
      expect(likes, color).toEqual([...likes].sort((one, other) => other - one));
      expect(likes[0], color).toBeGreaterThan(0.25);
      expect(likes.at(-1), color).toBeLessThan(0.05);
    }
  });

  test('is nothing between a gray and a colour', () => {
    for (const color of ['teal', 'red', 'blue', '#3c7278', '#e3912f', '#d8d06a', '#17538d', '#728b53']) {
      for (const gray of ['#000000', '#333333', '#757f80', '#8c8c8c', '#a1988f', '#c7c4c3', '#ffffff']) expect(likeness(color, gray), `${color} ${gray}`).toBe(0);
    }
  });
});

describe('a palette', () => {
  test('has the colours of a picture with their shares, heaviest first', () => {
    const { palette, dominant } = measureColors(painted((x) => (x < 0.5 ? [220, 30, 30] : x < 0.8 ? [30, 60, 200] : [250, 250, 250])));
    expect(palette.map(({ name }) => name)).toEqual(['red', 'blue', 'white']);
    expect(palette.map(({ hex }) => hex)).toEqual(['#dc1e1e', '#1e3cc8', '#fafafa']);
    expect(palette[0]!.share).toBeCloseTo(0.5, 2);
    expect(palette.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 6);
    expect(dominant).toEqual(['red', 'blue', 'white']);
  });

  test('has at most 8 colours that are .05 apart, also of a rainbow, and is the same each time', () => {
    const rainbow = painted((x, y) => [255 * x, 255 * y, 255 * (1 - x)].map(Math.round));
    const { palette } = measureColors(rainbow);
    expect(palette).toHaveLength(8);
    palette.forEach((one, i) => palette.slice(i + 1).forEach((other) => expect(labDistanceSquared(one.lab, other.lab)).toBeGreaterThanOrEqual(0.05 ** 2)));
    expect(measureColors(rainbow).palette).toEqual(palette);
  });

  test('names as dominant only what covers 8 %', () => {
    expect(measureColors(painted((x) => (x < 0.07 ? [0, 160, 40] : [230, 220, 30]))).dominant).toEqual(['yellow']);
  });

  test('tells background, foreground and accent', () => {
    const colors = measureColors(painted((x, y) => (Math.hypot(x - 0.5, y - 0.5) < 0.2 ? [230, 40, 20] : [200, 200, 200])));
    expect(colors).toMatchObject({ background: 'gray', foreground: 'red', isBlackAndWhite: false });
    expect(colorName(parseColor(colors.accent)!)).toBe('red');
  });

  test('counts nothing that is transparent', () => {
    const hidden = plain(16, 16, [255, 0, 0, 0]);
    hidden.data.set([0, 0, 255, 255], 40);
    expect(measureColors(hidden).dominant).toEqual(['blue']);
    expect(measureColors(plain(16, 16, [255, 0, 0, 0]))).toMatchObject({ dominant: ['white'], background: 'white', foreground: 'white' });
  });

  test('is black and white while at most one pixel in a hundred has colour', () => {
    const greyWith = (coloured: number) => painted((x, y) => (y * 128 * 128 + x * 128 < coloured ? [255, 0, 0] : [90, 90, 90].map((value) => value + Math.round(x * 100))));
    expect(measureColors(greyWith(128 * 1.28 - 3)).isBlackAndWhite).toBe(true);
    expect(measureColors(greyWith(128 * 1.28 + 3)).isBlackAndWhite).toBe(false);
  });
});

describe('an area average', () => {
  test('keeps the mean, at fractions, of other shapes and when it enlarges', () => {
    const ramp: Raster = { width: 5, height: 3, channels: 3, data: Uint8Array.from({ length: 45 }, (_, k) => (k * 37) % 256) };
    const mean = (raster: Raster) => raster.data.reduce((sum, value) => sum + value, 0) / raster.data.length;
    for (const [width, height] of [[2, 2], [4, 3], [1, 1], [13, 7]] as const) {
      expect(Math.abs(mean(areaAverage(ramp, width, height)) - mean(ramp)), `${width}x${height}`).toBeLessThan(0.6);
    }
    expect(areaAverage(ramp, 5, 3).data).toEqual(ramp.data);
  });

  test('lets a transparent pixel have no say in the colour', () => {
    const raster: Raster = { width: 2, height: 1, channels: 4, data: Uint8Array.of(200, 100, 50, 255, 0, 0, 0, 0) };
    expect([...areaAverage(raster, 1, 1).data]).toEqual([200, 100, 50, 128]);
    expect([...onWhite(raster).data]).toEqual([200, 100, 50, 255, 255, 255]);
  });
});
