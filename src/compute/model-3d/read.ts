import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Accessor, type GLTF, type Node, type Primitive, Primitive as Primitives, WebIO } from '@gltf-transform/core';
import { ProviderError } from '../../errors.ts';
import { decodeImage, type DecodeLimits } from '../decode.ts';
import type { Raster } from '../raster.ts';
import type { MadeModel } from './make.ts';
import type { Surface } from './rasterize.ts';
import { drawThumbnail } from './thumbnail.ts';

const MAGIC = 0x46546c67;
const TEXTURE_SIDE = 1024;

/** Counts what a GLB that somebody else made has, and draws it. Without a picture where it is packed in a way that is not read here; throws `ProviderError` where it is no GLB. */
export async function readModel({ path, limits, outputFolder, name }: { path: string; limits: DecodeLimits; outputFolder: string; name: string }): Promise<MadeModel> {
  const bytes = new Uint8Array(await readFile(path));
  const header = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isGlb = bytes.length >= 20 && header.getUint32(0, true) === MAGIC && header.getUint32(4, true) === 2 && header.getUint32(8, true) === bytes.length;
  if (!isGlb) throw notGlb(`${bytes.length} bytes that are none`);
  const io = new WebIO();
  const { json } = await io.binaryToJSON(bytes).catch((cause: unknown) => {
    throw notGlb('one that cannot be read', cause);
  });
  const counts = countsOf(json);
  if (counts.faceCount === 0) throw notGlb('one without triangles');
  if (json.extensionsRequired?.length) return { modelPath: path, thumbnailPath: null, ...counts };
  const document = await io.readBinary(bytes).catch((cause: unknown) => {
    throw notGlb('one that contradicts itself', cause);
  });
  const surfaces: Surface[] = [];
  for (const node of document.getRoot().listNodes()) {
    for (const primitive of node.getMesh()?.listPrimitives() ?? []) if (primitive.getMode() === Primitives.Mode.TRIANGLES) surfaces.push(await surfaceOf(node, primitive, limits));
  }
  return { modelPath: path, thumbnailPath: surfaces.length > 0 ? await drawThumbnail(surfaces, join(outputFolder, `${name}.webp`)) : null, ...counts };
}

const notGlb = (what: string, cause?: unknown) => new ProviderError('PROVIDER_ERROR', `Expected a model as binary glTF 2.0 but received ${what}`, { retryable: false, cause });

function countsOf({ meshes = [], accessors = [] }: GLTF.IGLTF): { vertexCount: number; faceCount: number } {
  let vertexCount = 0, faceCount = 0;
  for (const { attributes, indices, mode = Primitives.Mode.TRIANGLES } of meshes.flatMap((mesh) => mesh.primitives)) {
    const vertices = accessors[attributes.POSITION ?? -1]?.count ?? 0;
    const corners = indices === undefined ? vertices : (accessors[indices]?.count ?? 0);
    vertexCount += vertices;
    if (mode === Primitives.Mode.TRIANGLES) faceCount += Math.floor(corners / 3);
    else if (mode === Primitives.Mode.TRIANGLE_STRIP || mode === Primitives.Mode.TRIANGLE_FAN) faceCount += Math.max(0, corners - 2);
  }
  return { vertexCount, faceCount };
}

async function surfaceOf(node: Node, primitive: Primitive, limits: DecodeLimits): Promise<Surface> {
  const world = node.getWorldMatrix();
  const turn = ([x = 0, y = 0, z = 0]: number[], moves: 0 | 1) => [0, 1, 2].map((axis) => world[axis]! * x + world[4 + axis]! * y + world[8 + axis]! * z + moves * world[12 + axis]!);
  const position = primitive.getAttribute('POSITION');
  const count = position?.getCount() ?? 0;
  const positions = valuesOf(position, count, 3, (place) => turn(place, 1));
  const indices = Uint32Array.from(primitive.getIndices()?.getArray() ?? Array.from({ length: count }, (_, vertex) => vertex));
  const normal = primitive.getAttribute('NORMAL');
  const material = primitive.getMaterial();
  const image = material?.getBaseColorTexture()?.getImage();
  const uv = primitive.getAttribute('TEXCOORD_0');
  const color = primitive.getAttribute('COLOR_0');
  const [red, green, blue] = material?.getBaseColorFactor() ?? [1, 1, 1];
  return {
    positions,
    normals: normal ? valuesOf(normal, count, 3, (place) => unit(turn(place, 0))) : normalsOf(positions, indices),
    uvs: valuesOf(uv, count, 2, (place) => place),
    indices,
    texture: image && uv ? await textureOf(image, limits) : null,
    colors: color ? valuesOf(color, count, 3, (values) => values) : null,
    // Factors are linear light, the picture is drawn in what screens show.
    tint: [red, green, blue].map((factor) => factor ** (1 / 2.2)) as [number, number, number],
  };
}

function valuesOf(accessor: Accessor | null, count: number, size: number, of: (values: number[]) => number[]): Float32Array {
  const out = new Float32Array(size * count);
  if (accessor) for (let i = 0, values: number[] = []; i < Math.min(count, accessor.getCount()); i++) out.set(of(accessor.getElement(i, values)).slice(0, size), size * i);
  return out;
}

const unit = (vector: number[]) => {
  const length = Math.hypot(...vector) || 1;
  return vector.map((part) => part / length);
};

/** Of each vertex the mean of its triangles, the larger ones counting more. */
function normalsOf(positions: Float32Array, indices: Uint32Array): Float32Array {
  const normals = new Float32Array(positions.length);
  for (let k = 0; k < indices.length; k += 3) {
    const corners = [indices[k]!, indices[k + 1]!, indices[k + 2]!];
    const [a, b, c] = corners.map((vertex) => positions.subarray(3 * vertex, 3 * vertex + 3)) as [Float32Array, Float32Array, Float32Array];
    const one = [0, 1, 2].map((axis) => b[axis]! - a[axis]!), other = [0, 1, 2].map((axis) => c[axis]! - a[axis]!);
    for (const vertex of corners) for (let axis = 0; axis < 3; axis++) {
      const [next, last] = [(axis + 1) % 3, (axis + 2) % 3];
      normals[3 * vertex + axis]! += one[next]! * other[last]! - one[last]! * other[next]!;
    }
  }
  for (let k = 0; k < normals.length; k += 3) normals.set(unit([...normals.subarray(k, k + 3)]), k);
  return normals;
}

/** Null for what is no picture that is read here. */
async function textureOf(image: Uint8Array, limits: DecodeLimits): Promise<Raster | null> {
  return decodeImage(Buffer.from(image), limits, { maxSide: TEXTURE_SIDE }).then(({ raster }) => raster, () => null);
}
