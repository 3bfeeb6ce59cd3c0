import { regionsOf } from '../cut-out/mask.ts';
import { boxBlur, type Plane } from '../cut-out/plane.ts';

/** A square grid over a mask, with a ring around it that is always outside. `inside.data` is above 0 at nodes within the subject. */
export interface Grid {
  inside: Plane;
  /** Distance of neighbouring nodes, in pixels of the mask. */
  cell: number;
  /** Where the first node lies, in pixels of the mask. */
  left: number;
  top: number;
}

/** The part of a plane within a shape. A corner below the number of nodes is that node; those from there on are places where the outline crosses an edge of the grid. */
export interface Skin {
  /** Three corners for each triangle, counter-clockwise as the picture is seen. */
  corners: number[];
  /** From a node inside to its neighbour outside. */
  crossings: { from: number; to: number }[];
}

/** Parts of a subject below this share of its greatest part are specks. */
const SPECK_SHARE = 0.02;
/** A crossing keeps away from the nodes by this share of an edge, so that no triangle is a sliver. */
const LEAST_SHARE = 0.15;

export function layGrid(mask: Plane, cell: number): Grid {
  const columns = Math.ceil(mask.width / cell) + 3;
  const rows = Math.ceil(mask.height / cell) + 3;
  const left = (mask.width - (columns - 1) * cell) / 2;
  const top = (mask.height - (rows - 1) * cell) / 2;
  const soft = boxBlur(mask, Math.floor(cell / 2));
  const inside: Plane = { width: columns, height: rows, data: new Float32Array(columns * rows) };
  for (let row = 0, node = 0; row < rows; row++) for (let column = 0; column < columns; column++, node++) {
    inside.data[node] = at(soft, left + column * cell, top + row * cell) - 0.5;
  }
  const parts = regionsOf(inside, (node) => inside.data[node]! > 0);
  const greatest = Math.max(0, ...parts.map(({ pixels }) => pixels.length));
  for (const { pixels } of parts) if (pixels.length < SPECK_SHARE * greatest) for (const node of pixels) inside.data[node] = -0.25;
  return { inside, cell, left, top };
}

/** Bilinear between the middles of pixels; nothing is outside the picture. */
function at({ width, height, data }: Plane, x: number, y: number): number {
  if (x < 0 || y < 0 || x > width || y > height) return 0;
  const column = Math.min(width - 1, Math.max(0, x - 0.5));
  const row = Math.min(height - 1, Math.max(0, y - 0.5));
  const [x0, y0] = [Math.floor(column), Math.floor(row)];
  const [x1, y1] = [Math.min(width - 1, x0 + 1), Math.min(height - 1, y0 + 1)];
  const [right, down] = [column - x0, row - y0];
  const above = data[y0 * width + x0]! * (1 - right) + data[y0 * width + x1]! * right;
  const below = data[y1 * width + x0]! * (1 - right) + data[y1 * width + x1]! * right;
  return above * (1 - down) + below * down;
}

/** How far from a node inside to its neighbour outside the outline lies, as a share of the way. */
export function crossingShare({ inside }: Grid, from: number, to: number): number {
  const [within, without] = [inside.data[from]!, inside.data[to]!];
  return Math.min(1 - LEAST_SHARE, Math.max(LEAST_SHARE, within / (within - without)));
}

/**
 * Marching triangles: every cell is two triangles, each cut off at the outline. Two places on the outline are joined only along it,
 * so two such skins sewn together at their outlines enclose a body.
 */
export function cutSkin({ inside: { width, height, data } }: Grid): Skin {
  const nodes = width * height;
  const corners: number[] = [];
  const crossings: Skin['crossings'] = [];
  const known = new Map<number, number>();
  const isInside = (node: number) => data[node]! > 0;

  function cross(one: number, other: number): number {
    const edge = Math.min(one, other) * nodes + Math.max(one, other);
    const there = known.get(edge);
    if (there !== undefined) return there;
    crossings.push(isInside(one) ? { from: one, to: other } : { from: other, to: one });
    known.set(edge, nodes + crossings.length - 1);
    return nodes + crossings.length - 1;
  }

  function cut(triangle: [number, number, number]): void {
    const rest = triangle.flatMap((node, side) => {
      const next = triangle[(side + 1) % 3]!;
      const kept = isInside(node) ? [node] : [];
      return isInside(node) === isInside(next) ? kept : [...kept, cross(node, next)];
    });
    for (let k = 2; k < rest.length; k++) corners.push(rest[0]!, rest[k - 1]!, rest[k]!);
  }

  for (let row = 0; row < height - 1; row++) for (let column = 0; column < width - 1; column++) {
    const [nw, ne, sw, se] = [row * width + column, row * width + column + 1, (row + 1) * width + column, (row + 1) * width + column + 1];
    if (!isInside(nw) && !isInside(ne) && !isInside(sw) && !isInside(se)) continue;
    // Diagonals alternate, so that the mesh has no grain.
    if ((row + column) % 2 === 0) {
      cut([nw, sw, se]);
      cut([nw, se, ne]);
    } else {
      cut([nw, sw, ne]);
      cut([ne, sw, se]);
    }
  }
  return { corners, crossings };
}
