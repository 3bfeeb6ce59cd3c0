import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Document, WebIO } from '@gltf-transform/core';
import { validateBytes } from 'gltf-validator';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Plane } from '../src/compute/cut-out/plane.ts';
import { inflate } from '../src/compute/model-3d/inflate.ts';
import { makeModel } from '../src/compute/model-3d/make.ts';
import type { Mesh } from '../src/compute/model-3d/mesh.ts';
import { rasterize, type Surface } from '../src/compute/model-3d/rasterize.ts';
import { readModel } from '../src/compute/model-3d/read.ts';
import { emboss } from '../src/compute/model-3d/relief.ts';

const limits = { maxSide: 5000, maxPixels: 2e7, maxAvifPixels: 2e7, maxFrames: 1 };
let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'darkroom-model-'))));
afterAll(() => rm(folder, { recursive: true }));

const draw = (width: number, height: number, at: (x: number, y: number) => number): Plane => ({ width, height, data: Float32Array.from({ length: width * height }, (_, i) => at((i % width) + 0.5, Math.floor(i / width) + 0.5)) });
const disc = (side: number) => draw(side, side, (x, y) => Math.min(1, Math.max(0, side / 2 - Math.hypot(x - side / 2, y - side / 2))));
/** A ring, a bar that the frame cuts off, and a speck. */
const odd = draw(300, 200, (x, y) => Number((Math.hypot(x - 80, y - 90) < 70 && Math.hypot(x - 80, y - 90) > 30) || (x > 200 && y > 60 && y < 120) || Math.hypot(x - 170, y - 20) < 3));
const hills = draw(90, 60, (x, y) => (Math.sin(x / 6) * Math.cos(y / 5) + 1) / 2);

const at = ({ positions }: Mesh, vertex: number) => [...positions.subarray(3 * vertex, 3 * vertex + 3)];

/** How often each edge is walked in each direction, by the places of its ends: in a closed surface once there and once back. */
function openEdges(mesh: Mesh): number {
  const walks = new Map<string, number>();
  const name = (vertex: number) => at(mesh, vertex).map((value) => value.toFixed(6)).join();
  for (let k = 0; k < mesh.indices.length; k += 3) for (const side of [0, 1, 2]) {
    const [one, other] = [name(mesh.indices[k + side]!), name(mesh.indices[k + ((side + 1) % 3)]!)];
    expect(one).not.toBe(other);
    walks.set(`${one} ${other}`, (walks.get(`${one} ${other}`) ?? 0) + 1);
  }
  return [...walks].filter(([walk, times]) => times !== 1 || walks.get(walk.split(' ').reverse().join(' ')) !== 1).length;
}

/** Positive where triangles are counter-clockwise seen from outside. */
function volumeOf(mesh: Mesh): number {
  let volume = 0;
  for (let k = 0; k < mesh.indices.length; k += 3) {
    const [[a = 0, b = 0, c = 0], [d = 0, e = 0, f = 0], [g = 0, h = 0, i = 0]] = [0, 1, 2].map((corner) => at(mesh, mesh.indices[k + corner]!)) as [number[], number[], number[]];
    volume += (a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)) / 6;
  }
  return volume;
}

test.each([
  ['a ring and a bar', () => inflate(odd, { faces: 3000, depth: 0.5 })!, 3000],
  ['a disc', () => inflate(disc(200), { faces: 800, depth: 1 })!, 800],
  ['a rod, one node thin', () => inflate(draw(200, 20, (x, y) => Number(Math.abs(y - 10) < 2 && Math.abs(x - 100) < 90)), { faces: 1000, depth: 1 })!, 1000],
  ['a relief', () => emboss(hills, { faces: 2500, depth: 0.1 }), 2500],
  ['a relief of a line', () => emboss(draw(400, 2, () => 0.5), { faces: 500, depth: 0.1 }), 500],
  ['a relief of a mast', () => emboss(draw(2, 400, () => 0.5), { faces: 500, depth: 0.1 }), 500],
])('%s is closed, faces outward, is one long around the origin, and has no more faces than asked for', (_name, make, faces) => {
  const mesh = make();
  expect(openEdges(mesh)).toBe(0);
  expect(volumeOf(mesh)).toBeGreaterThan(0);
  expect(mesh.indices.length / 3).toBeLessThanOrEqual(faces);
  expect(mesh.indices.length / 3).toBeGreaterThan(faces * 0.7);
  const sides = [0, 1, 2].map((axis) => mesh.positions.filter((_, k) => k % 3 === axis)).map((values) => [Math.min(...values), Math.max(...values)] as const);
  expect(Math.max(...sides.map(([low, high]) => high - low))).toBeCloseTo(1, 5);
  for (const [low, high] of sides) expect(low + high).toBeCloseTo(0, 5);
  for (let k = 0; k < mesh.normals.length; k += 3) expect(Math.hypot(...mesh.normals.subarray(k, k + 3))).toBeCloseTo(1, 4);
});

test('a disc of depth 1 becomes a ball, with the normals of one', () => {
  const ball = inflate(disc(240), { faces: 6000, depth: 1 })!;
  for (let vertex = 0; vertex < ball.positions.length / 3; vertex++) {
    const place = at(ball, vertex);
    expect(Math.hypot(...place)).toBeCloseTo(0.5, 1.6);
    const along = place.reduce((sum, value, axis) => sum + (value / Math.hypot(...place)) * ball.normals[3 * vertex + axis]!, 0);
    expect(along).toBeGreaterThan(0.97);
  }
});

test('a speck beside a subject is no body of its own, and what is too thin for the faces is none at all', () => {
  const { positions } = inflate(odd, { faces: 3000, depth: 0.5 })!;
  // The picture is 300 wide, the ring begins at 10 and the bar ends at 300: the speck at (170, 20) would lie here.
  const isSpeck = (x: number, y: number) => Math.hypot(x * 290 + 155 - 170, 90 - y * 290 - 20) < 8;
  expect(positions.some((x, k) => k % 3 === 0 && isSpeck(x, positions[k + 1]!))).toBe(false);
  expect(inflate(draw(600, 600, (x) => Number(x % 100 < 1)), { faces: 500, depth: 1 })).toBeNull();
});

test('what is nearer hides what is behind, and there is nothing around it', () => {
  const square = (z: number, tint: [number, number, number], side: number): Surface => ({
    positions: Float32Array.from([-side, -side, z, side, -side, z, side, side, z, -side, side, z]),
    normals: Float32Array.from([0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 1]),
    uvs: new Float32Array(8), indices: Uint32Array.from([0, 1, 2, 0, 2, 3]), texture: null, colors: null, tint,
  });
  const pixel = (surfaces: Surface[], x: number, y: number) => [...rasterize(surfaces, 64).data.subarray(4 * (64 * y + x), 4 * (64 * y + x) + 4)];
  for (const order of [[0, 1], [1, 0]]) {
    const surfaces = [square(0, [0, 0, 1], 1), square(0.2, [1, 0, 0], 0.5)];
    const [red = 0, , blue, alpha] = pixel(order.map((i) => surfaces[i]!), 32, 32);
    expect([red > 200, blue, alpha]).toEqual([true, 0, 255]);
    expect(pixel(surfaces, 0, 0)).toEqual([0, 0, 0, 0]);
  }
});

test('the rim of a body shows the subject and not what was behind it; a cut-out keeps its own outline', async () => {
  const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="400" height="300"><rect width="400" height="300" fill="#00ff00" fill-opacity="0"/><ellipse cx="200" cy="150" rx="150" ry="90" fill="#d02020"/></svg>';
  const path = join(folder, 'ellipse.png');
  await writeFile(path, await sharp(Buffer.from(svg)).png().toBuffer());
  const made = await makeModel({ path, limits, outputFolder: folder, name: 'ellipse', options: { shape: 'AUTO', faces: 1000, textureSize: 128, depth: 1 } }, () => undefined);
  expect(made).toMatchObject({ shape: 'INFLATED' });
  const bytes = new Uint8Array(await readFile(made.modelPath));
  expect(await validateBytes(bytes)).toMatchObject({ issues: { numErrors: 0, numWarnings: 0 } });
  const document = await new WebIO().readBinary(bytes);
  const texture = sharp(Buffer.from(document.getRoot().listTextures()[0]!.getImage()!));
  const { data, info } = await texture.raw().toBuffer({ resolveWithObject: true });
  expect([info.width, info.height]).toEqual([128, 77]);
  for (let k = 0; k < data.length; k += 3) expect(Math.abs(data[k]! - 0xd0) + Math.abs(data[k + 1]! - 0x20)).toBeLessThan(40);
  // Twice as wide as high, and half as thick as high.
  const { min, max } = { min: [0, 0, 0], max: [0, 0, 0] };
  const position = document.getRoot().listMeshes()[0]!.listPrimitives()[0]!.getAttribute('POSITION')!;
  position.getMin(min);
  position.getMax(max);
  expect(max[0]! - min[0]!).toBeCloseTo(1, 2);
  expect(max[1]! - min[1]!).toBeCloseTo(0.6, 1.6);
  expect((max[2]! - min[2]!) / (max[1]! - min[1]!)).toBeCloseTo(0.6, 0.8);
});

async function glb(change: (document: Document) => void = () => undefined): Promise<Uint8Array> {
  const document = new Document();
  const buffer = document.createBuffer();
  const accessor = (values: Float32Array) => document.createAccessor().setType('VEC3').setArray(values).setBuffer(buffer);
  const primitive = document.createPrimitive().setAttribute('POSITION', accessor(Float32Array.from([0, 0, 0, 1, 0, 0, 0, 1, 0]))).setAttribute('COLOR_0', accessor(Float32Array.from([1, 0, 0, 1, 0, 0, 1, 0, 0])));
  document.createScene().addChild(document.createNode().setMesh(document.createMesh().addPrimitive(primitive)));
  change(document);
  return new WebIO().writeBinary(document);
}
const read = async (bytes: Uint8Array) => {
  const path = join(folder, 'foreign.glb');
  await writeFile(path, bytes);
  return readModel({ path, limits, outputFolder: folder, name: 'foreign' });
};

test('a model that somebody else made is counted and drawn, with colours of its vertices and without normals', async () => {
  const { thumbnailPath, ...counts } = await read(await glb());
  expect(counts).toMatchObject({ vertexCount: 3, faceCount: 1 });
  const [red = 0, green, blue, alpha] = await sharp(await readFile(thumbnailPath!)).extract({ left: 130, top: 330, width: 1, height: 1 }).raw().toBuffer();
  expect([red > 180, green! < 20, blue! < 20, alpha]).toEqual([true, true, true, 255]);
});

test('bytes that are no model, or none with faces, are refused in a sentence', async () => {
  const good = await glb();
  const broken = (change: (bytes: Uint8Array) => void) => {
    const bytes = good.slice();
    change(bytes);
    return bytes;
  };
  const cases: [Uint8Array, RegExp][] = [
    [Buffer.from('<html>Sign in to download</html>'), /32 bytes that are none/],
    [good.subarray(0, good.length - 8), /bytes that are none/],
    [broken((bytes) => (bytes[4] = 1)), /bytes that are none/],
    [broken((bytes) => bytes.fill(0x7b, 20, 40)), /cannot be read/],
    [await glb((document) => document.getRoot().listMeshes().forEach((mesh) => mesh.dispose())), /without triangles/],
  ];
  for (const [bytes, message] of cases) await expect(read(bytes)).rejects.toMatchObject({ code: 'PROVIDER_ERROR', message: expect.stringMatching(message) as string });
});
