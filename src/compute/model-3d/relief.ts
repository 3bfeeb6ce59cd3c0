import { boxBlur, type Plane, stretch } from '../cut-out/plane.ts';
import { fitToUnit, type Mesh } from './mesh.ts';

/** A plate below the relief, as a share of its depth. */
const BASE = 0.35;

/** The picture as a closed plate whose front stands out where `heights` (0 to 1) is high, by `depth` of its longer side. At most `faces` triangles. */
export function emboss(heights: Plane, { faces, depth }: { faces: number; depth: number }): Mesh {
  const [rows, columns] = cellsOf(heights, faces);
  const side = Math.max(heights.width, heights.height);
  return plate(stretch(heights, columns + 1, rows + 1), { across: heights.width / side / columns, down: heights.height / side / rows }, depth);
}

/** Rows and columns of cells as square as may be: two triangles for each in front, and for each edge of the rim two for its wall and one behind. */
function cellsOf({ width, height }: Plane, faces: number): [rows: number, columns: number] {
  const ratio = width / height;
  const rim = 3 * (1 + ratio);
  const most = (others: number) => Math.floor((faces - 6 * others) / (2 * others + 6));
  const square = Math.max(1, Math.min(height, Math.floor((Math.sqrt(rim * rim + 2 * ratio * faces) - rim) / (2 * ratio))));
  const columns = Math.max(1, Math.min(width, Math.round(square * ratio), most(square)));
  return [Math.max(1, Math.min(square, most(columns))), columns];
}

function plate({ width, height, data }: Plane, cell: { across: number; down: number }, depth: number): Mesh {
  const rim = rimOf(width, height);
  const front = width * height;
  // The walls have vertices of their own, because their edges are sharp.
  const count = front + 3 * rim.length + 1;
  const mesh: Mesh = { positions: new Float32Array(3 * count), normals: new Float32Array(3 * count), uvs: new Float32Array(2 * count), indices: new Uint32Array(6 * (width - 1) * (height - 1) + 9 * rim.length) };
  const z = (node: number) => depth * data[node]!;
  const put = (vertex: number, column: number, row: number, depthAt: number, normal: [number, number, number]) => {
    const length = Math.hypot(...normal);
    mesh.positions.set([column * cell.across, -row * cell.down, depthAt], 3 * vertex);
    mesh.normals.set(normal.map((part) => part / length), 3 * vertex);
    mesh.uvs.set([column / (width - 1), row / (height - 1)], 2 * vertex);
  };
  let used = 0;
  const triangle = (a: number, b: number, c: number) => {
    mesh.indices.set([a, b, c], used);
    used += 3;
  };

  for (let row = 0, node = 0; row < height; row++) for (let column = 0; column < width; column++, node++) {
    const [west, east] = [column > 0 ? node - 1 : node, column < width - 1 ? node + 1 : node];
    const [north, south] = [row > 0 ? node - width : node, row < height - 1 ? node + width : node];
    const slopeX = (z(east) - z(west)) / ((east - west) * cell.across);
    const slopeY = (z(north) - z(south)) / (((south - north) / width) * cell.down);
    put(node, column, row, z(node), [-slopeX, -slopeY, 1]);
    if (column === width - 1 || row === height - 1) continue;
    const [ne, sw, se] = [node + 1, node + width, node + width + 1];
    if ((row + column) % 2 === 0) {
      triangle(node, sw, se);
      triangle(node, se, ne);
    } else {
      triangle(node, sw, ne);
      triangle(ne, sw, se);
    }
  }

  const bottom = -BASE * depth;
  const middle = count - 1;
  put(middle, (width - 1) / 2, (height - 1) / 2, bottom, [0, 0, -1]);
  rim.forEach(({ node, out }, index) => {
    const [column, row] = [node % width, Math.floor(node / width)];
    const [above, below, behind] = [front + 3 * index, front + 3 * index + 1, front + 3 * index + 2];
    const next = front + 3 * ((index + 1) % rim.length);
    put(above, column, row, z(node), out);
    put(below, column, row, bottom, out);
    put(behind, column, row, bottom, [0, 0, -1]);
    triangle(above, below, next + 1);
    triangle(above, next + 1, next);
    triangle(behind, middle, next + 2);
  });
  fitToUnit(mesh);
  return mesh;
}

/** The nodes along the rim, counter-clockwise as the picture is seen from the top left, and which way is out. */
function rimOf(width: number, height: number): { node: number; out: [number, number, number] }[] {
  const [right, below] = [width - 1, height - 1];
  const side = (count: number, node: (i: number) => number, out: [number, number, number]) => Array.from({ length: count }, (_, i) => ({ node: node(i), out }));
  return [
    ...side(below, (i) => i * width, [-1, 0, 0]),
    ...side(right, (i) => below * width + i, [0, -1, 0]),
    ...side(below, (i) => (below - i) * width + right, [1, 0, 0]),
    ...side(right, (i) => right - i, [0, 1, 0]),
  ];
}

/** Over this share of the longer side the relief fades to an even rim. */
const RIM = 0.02;

/** What stands out in a picture that nobody measured: bright things before dark ones, and fine structure more than broad light. */
export function reliefOf(luma: Plane): Plane {
  const side = Math.max(luma.width, luma.height);
  const fine = boxBlur(boxBlur(luma, Math.round(side / 250)), Math.round(side / 250));
  const broad = boxBlur(boxBlur(luma, Math.round(side / 12)), Math.round(side / 12));
  const heights: Plane = { ...luma, data: fine.data.map((value, i) => 0.35 * broad.data[i]! + (value - broad.data[i]!)) };
  let low = Infinity, high = -Infinity;
  for (const value of heights.data) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  for (let i = 0; i < heights.data.length; i++) heights.data[i] = high > low ? (heights.data[i]! - low) / (high - low) : 0;
  const mean = heights.data.reduce((sum, value) => sum + value, 0) / heights.data.length;
  for (let y = 0, i = 0; y < luma.height; y++) for (let x = 0; x < luma.width; x++, i++) {
    const toRim = Math.min(x, y, luma.width - 1 - x, luma.height - 1 - y) / (RIM * side);
    if (toRim < 1) heights.data[i] = mean + (heights.data[i]! - mean) * toRim * toRim * (3 - 2 * toRim);
  }
  return heights;
}
