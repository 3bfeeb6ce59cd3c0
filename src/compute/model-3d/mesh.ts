/** Triangles, counter-clockwise seen from outside, as glTF wants them: x to the right, y up, z towards whoever looks; texture coordinates from the top left. */
export interface Mesh {
  /** Three numbers for each vertex. */
  positions: Float32Array;
  /** Three numbers for each vertex, of length 1. */
  normals: Float32Array;
  /** Two numbers for each vertex, 0 to 1. */
  uvs: Float32Array;
  /** Three vertices for each triangle. */
  indices: Uint32Array;
}

/** Moves the middle of a mesh to the origin and makes its longest side 1, in place. */
export function fitToUnit({ positions }: Mesh): void {
  const low = [Infinity, Infinity, Infinity];
  const high = [-Infinity, -Infinity, -Infinity];
  positions.forEach((value, k) => {
    low[k % 3] = Math.min(low[k % 3]!, value);
    high[k % 3] = Math.max(high[k % 3]!, value);
  });
  const longest = Math.max(...low.map((value, axis) => high[axis]! - value));
  for (let k = 0; k < positions.length; k++) positions[k] = (positions[k]! - (low[k % 3]! + high[k % 3]!) / 2) / longest;
}
