import type { Plane } from '../cut-out/plane.ts';
import { fitToUnit, type Mesh } from './mesh.ts';
import { crossingShare, cutSkin, layGrid, type Grid, type Skin } from './outline.ts';

/**
 * The body that a silhouette becomes when it is blown up: closed, round at its rim, the same in front and behind; null where nothing of the silhouette is
 * wide enough for a mesh of at most `faces` triangles. `depth` is how thick it is for its width: at 1 a disc becomes a ball.
 * Its height is the root of the solution of Poisson's equation on the silhouette, which is exactly that ball for a disc.
 */
export function inflate(mask: Plane, { faces, depth }: { faces: number; depth: number }): Mesh | null {
  const area = mask.data.reduce((sum, share) => sum + (share >= 0.5 ? 1 : 0), 0);
  // Two triangles for each cell, in front and behind.
  let cell = Math.max(1, Math.sqrt((4 * area) / faces));
  for (;;) {
    const grid = layGrid(mask, cell);
    const skin = cutSkin(grid);
    if (skin.corners.length === 0) return null;
    const count = (2 * skin.corners.length) / 3;
    if (count <= faces) return sew(grid, skin, mask, depth);
    cell *= Math.max(1.01, Math.sqrt(count / faces));
  }
}

/** A slope below this, in cells, is rounding: both sides of what is one node thin are alike. */
const LEAST_SLOPE = 1e-6;

/** Front and back are the same skin, sewn together at the outline. */
function sew(grid: Grid, { corners, crossings }: Skin, mask: Plane, depth: number): Mesh {
  const { inside: { width, data }, cell, left, top } = grid;
  const heights = solvePoisson(grid);
  const inner = [...new Set(corners.filter((corner) => corner < data.length))];
  const count = crossings.length + 2 * inner.length;
  const mesh: Mesh = { positions: new Float32Array(3 * count), normals: new Float32Array(3 * count), uvs: new Float32Array(2 * count), indices: new Uint32Array(2 * corners.length) };

  function put(vertex: number, column: number, row: number, z: number, normal: [number, number, number]): void {
    const length = Math.hypot(...normal);
    mesh.positions.set([column * cell, -row * cell, z * cell], 3 * vertex);
    mesh.normals.set(normal.map((part) => part / length), 3 * vertex);
    mesh.uvs.set([(left + column * cell) / mask.width, (top + row * cell) / mask.height].map((part) => Math.min(1, Math.max(0, part))), 2 * vertex);
  }
  crossings.forEach(({ from, to }, vertex) => {
    const share = crossingShare(grid, from, to);
    const step = to - from;
    const down = Math.round(step / width);
    const across = step - down * width;
    const [x, y] = heights.slope(from);
    const outward: [number, number, number] = Math.hypot(x, y) < LEAST_SLOPE ? [across, -down, 0] : [-x, y, 0];
    put(vertex, (from % width) + share * across, Math.floor(from / width) + share * down, 0, outward);
  });
  const places = new Map<number, number>();
  inner.forEach((node, index) => {
    const vertex = crossings.length + 2 * index;
    places.set(node, vertex);
    const z = depth * Math.sqrt(heights.at(node));
    const [x, y] = heights.slope(node);
    // The gradient of z² - depth² · height, of which the surface is the zero.
    const normal = [-depth * depth * x, depth * depth * y, 2 * z] as const;
    for (const side of [0, 1]) put(vertex + side, node % width, Math.floor(node / width), side ? -z : z, [normal[0], normal[1], side ? -normal[2] : normal[2]]);
  });
  for (let k = 0; k < corners.length; k += 3) {
    const vertices = [0, 1, 2].map((i) => (corners[k + i]! < data.length ? places.get(corners[k + i]!)! : corners[k + i]! - data.length));
    const [a, b, c] = vertices as [number, number, number];
    const behind = (vertex: number) => (vertex < crossings.length ? vertex : vertex + 1);
    mesh.indices.set([a, b, c, behind(a), behind(c), behind(b)], 2 * k);
  }
  fitToUnit(mesh);
  return mesh;
}

/**
 * Solves Δu = -4 inside the outline with u = 0 on it, in units of a cell, by successive over-relaxation.
 * Source: Shortley & Weller, "The numerical solution of Laplace's equation" (1938), for edges that the outline cuts short.
 */
function solvePoisson(grid: Grid) {
  const { width, height, data } = grid.inside;
  const nodes = Uint32Array.from([...data.keys()].filter((node) => data[node]! > 0));
  const steps = [-1, 1, -width, width];
  // Of each node: the lengths of its four edges, as far as they are inside.
  const lengths = new Float32Array(4 * data.length);
  for (const node of nodes) steps.forEach((step, side) => (lengths[4 * node + side] = data[node + step]! > 0 ? 1 : crossingShare(grid, node, node + step)));

  const heights = new Float64Array(data.length);
  const size = Math.min(width, height);
  const relaxation = 2 / (1 + Math.sin(Math.PI / size));
  for (let round = 0, change = Infinity, highest = 0; round < 4 * size && change > 1e-4 * highest; round++) {
    change = 0;
    for (const node of nodes) {
      const k = 4 * node;
      const l = lengths[k]!, r = lengths[k + 1]!, t = lengths[k + 2]!, b = lengths[k + 3]!;
      const across = (heights[node - 1]! / l + heights[node + 1]! / r) / (l + r);
      const down = (heights[node - width]! / t + heights[node + width]! / b) / (t + b);
      const step = relaxation * ((2 + across + down) / (1 / (l * r) + 1 / (t * b)) - heights[node]!);
      heights[node]! += step;
      change = Math.max(change, Math.abs(step));
      highest = Math.max(highest, heights[node]!);
    }
  }
  /** Along an axis, with edges of unequal length. */
  const along = (node: number, side: number, step: number) => {
    const before = lengths[4 * node + side]!, after = lengths[4 * node + side + 1]!;
    return ((heights[node + step]! - heights[node]!) * before) / after / (before + after) + ((heights[node]! - heights[node - step]!) * after) / before / (before + after);
  };
  return {
    at: (node: number) => Math.max(0, heights[node]!),
    /** Across and down the picture. */
    slope: (node: number): [number, number] => [along(node, 0, 1), along(node, 2, width)],
  };
}
