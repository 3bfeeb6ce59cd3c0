import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { drawSample, sampleNames } from '../../src/compute/draw.ts';

export interface Picture {
  name: string;
  path: string;
  byteSize: number;
}

const extensions = ['jpg', 'jpeg', 'png', 'webp', 'gif', 'bmp', 'tif', 'tiff', 'avif', 'heic', 'heif'];
const maxPictures = 200;

/** Drawn pictures with one clear subject. */
export const samplesToCutOut = ['yellow-mug-on-white.jpg', 'hot-air-balloons.jpg', 'portrait-painting.jpg'];

/** The pictures of a folder by their extensions, not of the folders in it; of very many the first. */
export async function picturesOf(folder: string): Promise<{ pictures: Picture[]; left: number }> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    throw new Error(`Expected a folder with pictures but ${folder} cannot be read`, { cause });
  });
  const names = entries.map(({ name }) => name).filter((name) => extensions.includes(name.toLowerCase().split('.').at(-1) ?? '') && !name.startsWith('.')).sort();
  const found = (await Promise.all(names.slice(0, maxPictures).map((name) => pictureAt(folder, name)))).filter((picture) => picture !== undefined);
  if (found.length === 0) throw new Error(`Expected pictures (${extensions.join(', ')}) in ${folder} but found none among ${entries.length} entries`);
  return { pictures: found, left: Math.max(0, names.length - maxPictures) };
}

/** Draws the sample pictures into `folder`; one after another, so that Ctrl-C is heard in between. */
export async function drawPictures(folder: string): Promise<Picture[]> {
  await mkdir(folder, { recursive: true });
  const pictures: Picture[] = [];
  for (const name of sampleNames) {
    const bytes = await drawSample(name);
    const path = join(folder, name);
    await writeFile(path, bytes);
    pictures.push({ name, path, byteSize: bytes.length });
  }
  return pictures;
}

/** As many requests as needed: none with more files than the server takes, or with more bytes than are pleasant to hold. */
export function inRequests(pictures: Picture[], maxFiles: number, maxBytes = 100_000_000): Picture[][] {
  const requests: Picture[][] = [];
  let bytes = Infinity;
  for (const picture of pictures) {
    if (bytes + picture.byteSize > maxBytes || requests.at(-1)!.length >= maxFiles) {
      requests.push([]);
      bytes = 0;
    }
    requests.at(-1)!.push(picture);
    bytes += picture.byteSize;
  }
  return requests;
}

async function pictureAt(folder: string, name: string): Promise<Picture | undefined> {
  const path = join(folder, name);
  const facts = await stat(path).catch(() => undefined);
  return facts?.isFile() ? { name, path, byteSize: facts.size } : undefined;
}
