import { expect, test } from 'vitest';
import { grid } from '../src/compute/cut-out/max-flow.ts';

const [width, height] = [4, 3];
const count = width * height;
const steps = [[-1, -1], [0, -1], [1, -1], [-1, 0], [1, 0], [-1, 1], [0, 1], [1, 1]] as const;

/** Whole numbers that look random and are the same each time. */
function dice(seed: number): (most: number) => number {
  let state = seed + 1;
  return (most) => (state = (state * 48271) % 2147483647) % (most + 1);
}

function someLinks(roll: (most: number) => number): Int32Array {
  const links = new Int32Array(count * 8);
  for (let i = 0; i < count; i++) for (let d = 4; d < 8; d++) {
    const [x, y] = [(i % width) + steps[d]![0], Math.floor(i / width) + steps[d]![1]];
    if (x < 0 || x >= width || y >= height) continue;
    links[i * 8 + d] = links[(y * width + x) * 8 + 7 - d] = roll(9);
  }
  return links;
}

function price(sides: ArrayLike<number>, terminals: Int32Array, links: Int32Array): number {
  let sum = 0;
  for (let i = 0; i < count; i++) {
    if (terminals[i]! > 0 ? !sides[i] : sides[i]) sum += Math.abs(terminals[i]!);
    for (let d = 4; d < 8; d++) if (links[i * 8 + d]! > 0 && sides[i] !== sides[i + steps[d]![1] * width + steps[d]![0]]) sum += links[i * 8 + d]!;
  }
  return sum;
}

test('no way to cut the grid is cheaper, also where the flow of earlier cuts is kept', () => {
  for (let seed = 0; seed < 20; seed++) {
    const roll = dice(seed);
    const links = someLinks(roll);
    const kept = grid(width, height, links);
    for (let round = 0; round < 3; round++) {
      const terminals = Int32Array.from({ length: count }, () => (roll(40) - 20) * (roll(9) === 0 ? 1e5 : 1));
      const sides = kept(terminals);
      expect(sides).toEqual(grid(width, height, links)(terminals));
      let least = Infinity;
      for (let k = 0; k < 1 << count; k++) least = Math.min(least, price(Array.from({ length: count }, (_, i) => (k >> i) & 1), terminals, links));
      expect(price(sides, terminals, links)).toBe(least);
    }
  }
});
