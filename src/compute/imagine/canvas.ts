import { blur, clouds, glow, gradient, many, scene, seeded, type Scene } from '../scenes/brush.ts';

/** A picture in the making: its size in drawing units, its chance, and definitions that name themselves. */
export interface Canvas {
  width: number;
  height: number;
  /** 0 to 1, the same row for the same seed. */
  random(): number;
  between(low: number, high: number): number;
  pick<Item>(items: readonly Item[]): Item;
  /** Each gives what `fill` or `filter` takes. */
  down(stops: string): string;
  across(stops: string): string;
  glow(stops: string): string;
  blur(amount: number): string;
  clouds(frequency: string, color: string, density: number): string;
  /** A rectangle over the whole width. */
  band(y: number, height: number, attributes: string): string;
  finish(body: string): Scene;
}

/** `shape` is width by height; the longer side becomes 1200 units. */
export function createCanvas(shape: number, seed: number): Canvas {
  const width = Math.round(1200 * Math.min(1, shape));
  const height = Math.round(1200 * Math.min(1, 1 / shape));
  const random = seeded(seed);
  const definitions: string[] = [];
  const define = (make: (id: string) => string) => {
    const id = `d${definitions.length}`;
    definitions.push(make(id));
    return `url(#${id})`;
  };
  return {
    width,
    height,
    random,
    between: (low, high) => low + (high - low) * random(),
    pick: (items) => items[Math.floor(random() * items.length)]!,
    down: (stops) => define((id) => gradient(id, stops)),
    across: (stops) => define((id) => gradient(id, stops, 'across')),
    glow: (stops) => define((id) => glow(id, stops)),
    blur: (amount) => define((id) => blur(id, amount)),
    clouds: (frequency, color, density) => define((id) => clouds(id, { frequency, color: channelsOf(color), density, seed: Math.floor(random() * 1000) })),
    band: (y, bandHeight, attributes) => `<rect y="${y.toFixed(1)}" width="${width}" height="${bandHeight.toFixed(1)}" ${attributes}/>`,
    finish: (body) => scene(width, height, definitions.join(''), body),
  };
}

export function channelsOf(hex: string): [number, number, number] {
  const value = Number.parseInt(hex.slice(1, 7), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

/** `share` of the second colour in the first. */
export function mix(one: string, other: string, share: number): string {
  const [from, to] = [channelsOf(one), channelsOf(other)];
  return `#${from.map((channel, i) => Math.round(channel + (to[i]! - channel) * share).toString(16).padStart(2, '0')).join('')}`;
}

/** A soft line of hills from the left edge to the right one, closed along the bottom. */
export function hills(canvas: Canvas, { y, rise, bumps }: { y: number; rise: number; bumps: number }): string {
  const step = canvas.width / bumps;
  const shift = canvas.random() * step;
  const heightAt = Array.from({ length: Math.ceil(bumps) + 3 }, (_, i) => y - rise * (i % 2 === 0 ? canvas.between(0.55, 1) : canvas.between(0, 0.35)));
  const points = heightAt.map((at, i) => [i * step - shift - step, at] as const);
  const curves = points.slice(1).map(([x, at], i) => {
    const [before, was] = points[i]!;
    const middle = (before + x) / 2;
    return `C${middle.toFixed(0)} ${was.toFixed(0)} ${middle.toFixed(0)} ${at.toFixed(0)} ${x.toFixed(0)} ${at.toFixed(0)}`;
  });
  return `M${points[0]![0].toFixed(0)} ${canvas.height}V${points[0]![1].toFixed(0)}${curves.join('')}V${canvas.height}Z`;
}

export { many };
