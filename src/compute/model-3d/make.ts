import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { ProviderError } from '../../errors.ts';
import { boxOf } from '../cut-out/frame.ts';
import { separate } from '../cut-out/index.ts';
import type { Plane } from '../cut-out/plane.ts';
import { shrink } from '../cut-out/resize.ts';
import { noSubject } from '../cut-out/subject.ts';
import { decodeImage, type DecodeLimits } from '../decode.ts';
import type { Raster } from '../raster.ts';
import { lumaOf, onWhite } from '../resample.ts';
import { writeGlb } from './glb.ts';
import { inflate } from './inflate.ts';
import type { Mesh } from './mesh.ts';
import { emboss, reliefOf } from './relief.ts';
import { spreadColors } from './texture.ts';
import { drawThumbnail } from './thumbnail.ts';

export interface ModelOptions {
  /** AUTO: INFLATED where a subject was found for sure, RELIEF otherwise. */
  shape: 'AUTO' | 'INFLATED' | 'RELIEF';
  /** Triangles at the most. */
  faces: number;
  /** Longer side of the texture in pixels, at the most. */
  textureSize: number;
  /** 1 is as usual: half as thick as wide for INFLATED, a sixteenth of the longer side for RELIEF. */
  depth: number;
}

export interface MadeModel {
  modelPath: string;
  thumbnailPath: string | null;
  vertexCount: number;
  faceCount: number;
}

interface Shaped {
  shape: 'INFLATED' | 'RELIEF';
  mesh: Mesh;
  texture: Raster;
}
type Progress = (percent: number, stage: string) => void;

const DEPTH = { INFLATED: 0.5, RELIEF: 1 / 16 };
/** Below this a silhouette may be anything; a relief never looks wrong. */
const SURE = 0.5;
/** A subject that fills half of the picture still fills its texture. */
const MOST_SIDE = 2048;
const MESH_SIDE = 640;

/**
 * A textured model of the picture in a file, written into a folder as GLB, with a picture of it. It is no reconstruction: INFLATED is the silhouette of the
 * subject blown up, with the picture in front and its mirror image behind; RELIEF is a plate. Both are closed, stand around the origin and are 1 long.
 * Throws `ProviderError` NO_SUBJECT where INFLATED was asked for, and what `decodeImage` throws.
 */
export async function makeModel(
  { path, limits, outputFolder, name, options }: { path: string; limits: DecodeLimits; outputFolder: string; name: string; options: ModelOptions },
  progress: Progress,
): Promise<MadeModel & Pick<Shaped, 'shape'>> {
  progress(0, 'decoding');
  const { raster } = await decodeImage(await readFile(path), limits, { maxSide: Math.min(MOST_SIDE, 2 * options.textureSize) });
  progress(10, 'finding the subject');
  const { shape, mesh, texture } = await shapeOf(raster, options);
  progress(80, 'writing the model');
  const { width, height, data } = texture;
  const picture = await sharp(data, { raw: { width, height, channels: 3 } }).jpeg({ quality: 88 }).toBuffer();
  const modelPath = join(outputFolder, `${name}.glb`);
  await writeFile(modelPath, await writeGlb('model', mesh, picture));
  progress(85, 'drawing the model');
  const thumbnailPath = await drawThumbnail([{ ...mesh, texture, colors: null, tint: [1, 1, 1] }], join(outputFolder, `${name}.webp`));
  progress(100, 'written');
  return { modelPath, thumbnailPath, shape, vertexCount: mesh.positions.length / 3, faceCount: mesh.indices.length / 3 };
}

async function shapeOf(raster: Raster, options: ModelOptions): Promise<Shaped> {
  if (options.shape === 'RELIEF') return relief(raster, options);
  if (options.shape === 'INFLATED') return inflated(raster, options, 0);
  try {
    return await inflated(raster, options, SURE);
  } catch (error) {
    if (error instanceof ProviderError && error.code === 'NO_SUBJECT') return relief(raster, options);
    throw error;
  }
}

async function inflated(raster: Raster, { faces, textureSize, depth }: ModelOptions, leastConfidence: number): Promise<Shaped> {
  const { subject, confidence } = await separate(raster, { options: { feather: 0 }, model: null }, () => undefined);
  const box = boxOf(subject);
  if (!box || confidence < leastConfidence) throw noSubject('nothing stands out clearly');
  const { width, height, data } = await shrink(await crop(subject, box), textureSize);
  const colors: Raster = { width, height, channels: 4, data };
  const small = await shrink(colors, MESH_SIDE);
  const mask: Plane = { width: small.width, height: small.height, data: new Float32Array(small.width * small.height) };
  for (let i = 0; i < mask.data.length; i++) mask.data[i] = small.data[4 * i + 3]! / 255;
  const mesh = inflate(mask, { faces, depth: depth * DEPTH.INFLATED });
  if (!mesh) throw noSubject(`all of it is too thin for a body of ${faces} faces`);
  return { shape: 'INFLATED', mesh, texture: spreadColors(colors) };
}

async function relief(raster: Raster, { faces, textureSize, depth }: ModelOptions): Promise<Shaped> {
  const texture = await shrink(onWhite(raster), textureSize);
  const small = await shrink(texture, MESH_SIDE);
  const luma: Plane = { width: small.width, height: small.height, data: lumaOf(small).map((value) => value / 255) };
  return { shape: 'RELIEF', mesh: emboss(reliefOf(luma), { faces, depth: depth * DEPTH.RELIEF }), texture };
}

async function crop({ width, height, channels, data }: Raster, box: { x: number; y: number; width: number; height: number }): Promise<Raster> {
  const part = await sharp(data, { raw: { width, height, channels } }).extract({ left: box.x, top: box.y, width: box.width, height: box.height }).raw().toBuffer();
  return { width: box.width, height: box.height, channels, data: part };
}
