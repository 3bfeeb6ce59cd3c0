import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import sharp from 'sharp';
import { drawSample, sampleNames } from '../src/compute/draw.ts';
import { root } from './machine.ts';

/** Photographs where they lie beside the repository, else pictures that Darkroom draws; and a word that says which. */
export async function somePictures(folder: string): Promise<{ paths: string[]; kind: string }> {
  const photos = join(root, '../shared/data/photos');
  if (existsSync(photos)) return { paths: (await readdir(photos)).sort().map((name) => join(photos, name)), kind: 'photographs of 0.1–6 MP' };
  return { paths: await drawPictures(folder, sampleNames), kind: 'drawn pictures of about 1 MP' };
}

/** The same scenes in the size that telephones take them: 12 megapixels. */
export async function phonePictures(folder: string, sources: readonly string[]): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  const paths: string[] = [];
  for (const [index, source] of sources.entries()) {
    const path = join(folder, `phone-${index}.jpg`);
    await sharp(source).resize(4032, 3024, { fit: 'cover' }).flatten().jpeg({ quality: 88 }).toFile(path);
    paths.push(path);
  }
  return paths;
}

/** The same pictures as other files each time: a few bytes behind the end make them ones that nobody has seen. */
export async function otherwise(folder: string, sources: readonly string[]): Promise<string[]> {
  const paths: string[] = [];
  for (const [index, source] of sources.entries()) {
    const path = join(folder, `${index}-${basename(source)}`);
    await writeFile(path, Buffer.concat([await readFile(source), Buffer.from(randomUUID())]));
    paths.push(path);
  }
  return paths;
}

/** Small ones, so that a server has done everything once before it is measured. */
export const picturesToWarmUp = (folder: string): Promise<string[]> => drawPictures(folder, sampleNames.slice(0, 4), 300);

async function drawPictures(folder: string, names: readonly string[], width?: number): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  const paths: string[] = [];
  for (const name of names) {
    const path = join(folder, name);
    await writeFile(path, await drawSample(name, { width }));
    paths.push(path);
  }
  return paths;
}

/** Pictures of noise, each a little above `bytes` long and none like another. */
export async function heavyPictures(folder: string, count: number, bytes: number): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  const side = Math.ceil(Math.sqrt(bytes / 3));
  const paths: string[] = [];
  for (let k = 0; k < count; k++) {
    const path = join(folder, `heavy-${k}.png`);
    const noise = { type: 'gaussian' as const, mean: 128, sigma: 60 };
    await sharp({ create: { width: side, height: side, channels: 3, background: '#808080', noise } }).png({ compressionLevel: 0 }).toFile(path);
    paths.push(path);
  }
  return paths;
}
