/** A picture as SVG in a view box of the given size. Drawing is deterministic: no clock, no chance, no fonts. */
export interface Scene {
  width: number;
  height: number;
  svg: string;
}

/** The same endless row of numbers 0..1 for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `count` pieces of SVG, one after another. */
export const many = (count: number, piece: (index: number) => string) => Array.from({ length: count }, (_, index) => piece(index)).join('');

/** A gradient from the top down (or from the left), as "offset color" pairs. */
export function gradient(id: string, stops: string, direction: 'down' | 'across' = 'down'): string {
  const marks = stops.split(',').map((stop) => {
    const [offset, color, opacity = '1'] = stop.trim().split(' ');
    return `<stop offset="${offset}" stop-color="${color}" stop-opacity="${opacity}"/>`;
  }).join('');
  return `<linearGradient id="${id}" x2="${direction === 'down' ? 0 : 1}" y2="${direction === 'down' ? 1 : 0}">${marks}</linearGradient>`;
}

/** A gradient from the middle out. */
export function glow(id: string, stops: string): string {
  return gradient(id, stops).replace(/linearGradient/g, 'radialGradient').replace(/ x2="0" y2="1"/, '');
}

/** A filter that blurs by `amount` units. */
export const blur = (id: string, amount: number) => `<filter id="${id}" x="-50%" y="-50%" width="200%" height="200%"><feGaussianBlur stdDeviation="${amount}"/></filter>`;

/** A filter that turns what it is put on into clouds of one colour: `density` is how much of it stays, `frequency` how fine it is. */
export function clouds(id: string, { frequency, color, density, seed }: { frequency: string; color: [number, number, number]; density: number; seed: number }): string {
  const [red, green, blue] = color.map((channel) => channel / 255);
  return `<filter id="${id}" x="0" y="0" width="100%" height="100%"><feTurbulence type="fractalNoise" baseFrequency="${frequency}" numOctaves="5" seed="${seed}"/>
    <feColorMatrix values="0 0 0 0 ${red} 0 0 0 0 ${green} 0 0 0 0 ${blue} 3.2 0 0 0 ${density - 1.6}"/></filter>`;
}

/** A ragged line from the left edge to the right one, closed along the bottom: hills, ridges, dunes. */
export function ridge(random: () => number, { width, height, y, rise, steps }: { width: number; height: number; y: number; rise: number; steps: number }): string {
  let points = [y - rise * random(), y - rise * random()];
  for (let roughness = rise; points.length < steps; roughness *= 0.55) {
    points = points.flatMap((point, i) => {
      const next = points[i + 1];
      return next === undefined ? [point] : [point, (point + next) / 2 + (random() - 0.5) * roughness];
    });
  }
  return `M0 ${height}${points.map((point, i) => `L${((i / (points.length - 1)) * width).toFixed(1)} ${point.toFixed(1)}`).join('')}L${width} ${height}Z`;
}

export function scene(width: number, height: number, definitions: string, body: string): Scene {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" preserveAspectRatio="xMidYMid slice"><defs>${definitions}</defs>${body}</svg>`;
  return { width, height, svg };
}
