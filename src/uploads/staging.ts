import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { App } from '../app.ts';
import type { Storage } from '../storage/storage.ts';
import type { ReceivedFile } from './receive.ts';

/** Where the bytes of an upload lie in one piece until they are checked. */
export const stagingKey = (uploadId: string) => `uploads/${uploadId}`;

/** A piece of an upload that can be broken off and resumed. Its place is in its name, so no row has to agree with what is there. */
export const pieceKey = (uploadId: string, start: number, end: number) => `${stagingKey(uploadId)}/${start}-${end}`;

/**
 * The pieces that lead furthest from the beginning, in order, and how far. Whichever process asks sees the same; of two that wrote the same
 * bytes at once both count.
 */
export async function findPieces(storage: Storage, uploadId: string): Promise<{ keys: string[]; byteSize: number }> {
  type Piece = { key: string; start: number; end: number };
  const pieces: Piece[] = [];
  for await (const key of storage.list(`${stagingKey(uploadId)}/`)) {
    const [, start, end] = /\/(\d+)-(\d+)$/.exec(key) ?? [];
    if (Number(end) > Number(start)) pieces.push({ key, start: Number(start), end: Number(end) });
  }
  pieces.sort((one, other) => one.start - other.start);
  /** The piece that leads to each place. Nothing leads to the beginning. */
  const last = new Map<number, Piece | null>([[0, null]]);
  let byteSize = 0;
  for (const piece of pieces) {
    if (!last.has(piece.start) || last.has(piece.end)) continue;
    last.set(piece.end, piece);
    byteSize = Math.max(byteSize, piece.end);
  }
  const keys: string[] = [];
  for (let piece = last.get(byteSize); piece; piece = last.get(piece.start)) keys.push(piece.key);
  return { keys: keys.reverse(), byteSize };
}

/** What has arrived, by whichever way: the more of the two. Nothing is 0 bytes. */
export async function findArrived(storage: Storage, uploadId: string): Promise<{ keys: string[]; byteSize: number }> {
  const key = stagingKey(uploadId);
  const [whole, pieces] = await Promise.all([storage.stat(key), findPieces(storage, uploadId)]);
  return whole && whole.byteSize >= pieces.byteSize ? { keys: [key], byteSize: whole.byteSize } : pieces;
}

/** Copies objects, one after the other, into a new file of the folder. */
export async function fetchFile({ storage }: Pick<App, 'storage'>, keys: string[], folder: string, { filename, byteSize }: { filename: string; byteSize: number }): Promise<ReceivedFile> {
  const path = join(folder, 'file');
  const hash = createHash('sha256');
  for (const [index, key] of keys.entries()) {
    const piece = join(folder, String(index));
    await storage.download(key, piece);
    const hashed = async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        hash.update(chunk);
        yield chunk;
      }
    };
    await pipeline(createReadStream(piece), hashed, createWriteStream(path, { flags: 'a', mode: 0o600 }));
    await rm(piece);
  }
  return { path, filename, byteSize, sha256: hash.digest('hex'), tooLarge: false };
}

/** Removes all that lies under an upload. */
export async function removeStaged(storage: Storage, uploadId: string): Promise<void> {
  const keys = [stagingKey(uploadId)];
  for await (const key of storage.list(`${stagingKey(uploadId)}/`)) keys.push(key);
  await storage.delete(keys);
}
