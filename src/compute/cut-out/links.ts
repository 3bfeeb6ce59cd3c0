import type { LabPlanes } from './saliency.ts';

/** What it costs to part two equal neighbours, in units of the colour models' logarithms: the figure of the paper. */
const SMOOTHNESS = 50;

/** What a cut of the grid pays between neighbours, in whole numbers of 1 / `unit`: little across an edge, where colours differ more than they do on average. Source: GrabCut, equation 11. */
export function linkNeighbours(lab: LabPlanes, unit: number): Int32Array {
  const { width, height } = lab[0];
  const [L, a, b] = [lab[0].data, lab[1].data, lab[2].data];
  const distance = (i: number, j: number) => (L[i]! - L[j]!) ** 2 + (a[i]! - a[j]!) ** 2 + (b[i]! - b[j]!) ** 2;
  // Right, lower left, below, lower right; the other four are the same links seen from the other end.
  const steps = [[1, 0, 4], [-1, 1, 5], [0, 1, 6], [1, 1, 7]] as const;

  let sum = 0;
  for (let y = 0; y < height - 1; y++) for (let x = 0, i = y * width; x < width - 1; x++, i++) sum += distance(i, i + 1) + distance(i, i + width);
  const sharpness = 1 / Math.max(1e-9, sum / ((height - 1) * (width - 1)));

  const links = new Int32Array(width * height * 8);
  for (const [dx, dy, direction] of steps) {
    const strength = (SMOOTHNESS * unit) / Math.hypot(dx, dy);
    for (let y = 0; y + dy < height; y++) for (let x = Math.max(0, -dx); x + Math.max(0, dx) < width; x++) {
      const i = y * width + x;
      const j = i + dy * width + dx;
      const cost = Math.round(strength * Math.exp(-0.5 * sharpness * distance(i, j)));
      links[i * 8 + direction] = cost;
      links[j * 8 + 7 - direction] = cost;
    }
  }
  return links;
}
