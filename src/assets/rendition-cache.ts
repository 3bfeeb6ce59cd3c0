import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Log } from '../log.ts';

/** Use is noted this exactly; a note costs a write. */
const useGrainMs = 60_000;
const tidyIntervalMs = 3_600_000;
/** What nobody has written to for this long was left by a crash. */
const abandonedMs = 3_600_000;
/** A tidying leaves so much of the limit, and the next one comes after so much more: in between the limit holds. */
const keptShare = 0.8;
const newShare = 0.1;
/** Most are smaller, and a stream costs more than their bytes. */
const readAtOnceBytes = 128_000;
/** So much of those that were read last stays in memory: to open, read and close a file costs as much as all the rest of an answer. */
const memoryBytes = 16_000_000;

/**
 * Renditions as files of this machine. Not in the object storage: there each hit would cost a call to it and a way through this
 * process, and nobody there knows what was used last. Several API processes each make what they are asked for once, share it where they
 * share the folder, and losing it costs time only.
 */
export interface RenditionCache {
  /** A place for files on the way to here. */
  readonly work: string;
  /** What is kept under the name, which now counts as used; null where there is nothing. */
  find(name: string): Promise<KeptFile | null>;
  /** Keeps what `make` writes to the path it is given: whole or not at all. */
  keep(name: string, make: (path: string) => Promise<void>): Promise<void>;
  /** Removes what belongs to no image any more, then what was not used for the longest time until the rest is well within the limit. */
  tidy(): Promise<void>;
  close(): Promise<void>;
}

export interface KeptFile {
  byteSize: number;
  /** The bytes, or `range` of them (both ends included). */
  read(range?: { start: number; end: number }): Promise<Readable | Uint8Array>;
}

export interface CacheOptions {
  folder: string;
  maxBytes: number;
  /** Those of the image ids that still have a row. A name is an image's id, a dot, and the rest. */
  knownImages(ids: string[]): Promise<string[]>;
  log: Log;
}

interface Entry {
  name: string;
  path: string;
  byteSize: number;
  usedAtMs: number;
}

export async function openRenditionCache({ folder, maxBytes, knownImages, log }: CacheOptions): Promise<RenditionCache> {
  const work = join(folder, '.work');
  await mkdir(work, { recursive: true, mode: 0o700 });
  const shardOf = (name: string) => join(folder, name.slice(0, 2));
  const pathOf = (name: string) => join(shardOf(name), name);
  const memory = createMemory(memoryBytes);
  let newBytes = 0;
  let isClosed = false;
  let tidying: Promise<void> | null = null;

  async function tidyOnce(): Promise<void> {
    newBytes = 0;
    for (const { path, usedAtMs } of await filesOf(work)) if (usedAtMs < Date.now() - abandonedMs) await rm(path, { force: true });

    const living: Entry[] = [];
    const shards = await readdir(folder);
    for (const shard of shards.filter((name) => !name.startsWith('.'))) {
      const files = await filesOf(join(folder, shard));
      const known = new Set(await knownImages([...new Set(files.map(({ name }) => imageOf(name)))]));
      for (const file of files) {
        if (known.has(imageOf(file.name))) living.push(file);
        else await rm(file.path, { force: true });
      }
    }

    let total = living.reduce((sum, { byteSize }) => sum + byteSize, 0);
    if (total <= maxBytes * (keptShare + newShare)) return;
    for (const { path, byteSize } of living.sort((one, other) => one.usedAtMs - other.usedAtMs)) {
      if (total <= maxBytes * keptShare) return;
      await rm(path, { force: true });
      total -= byteSize;
    }
  }

  const tidy = () => (tidying ??= tidyOnce().finally(() => (tidying = null)));
  const hasMuchNew = () => newBytes > maxBytes * newShare;
  // What comes while it is under way may be missed by it.
  const tidyLater = (): void => void tidy().then(() => { if (hasMuchNew() && !isClosed) tidyLater(); }).catch((error: unknown) => log.error({ err: error }, 'The cache of renditions could not be tidied; the next time tries again'));
  const timer = setInterval(tidyLater, tidyIntervalMs);
  timer.unref();
  tidyLater();

  return {
    work,
    async find(name) {
      const now = Date.now();
      const remembered = memory.find(name);
      if (remembered) {
        if (now - remembered.notedAtMs > useGrainMs) {
          remembered.notedAtMs = now;
          // Its file may have gone to make room; then the use keeps it here alone.
          await utimes(pathOf(name), now / 1000, now / 1000).catch(absent);
        }
        return whole(remembered.bytes);
      }
      await using file = (await open(pathOf(name)).catch(absent)) ?? null;
      if (!file) return null;
      const { size: byteSize, mtimeMs } = await file.stat();
      // A power cut leaves an empty file of what was not on the disk yet.
      if (byteSize === 0) return null;
      if (now - mtimeMs > useGrainMs) await file.utimes(now / 1000, now / 1000);
      if (byteSize > readAtOnceBytes) return { byteSize, read: async (range) => (await open(pathOf(name))).createReadStream(range) };
      const { buffer: bytes } = await file.read(Buffer.allocUnsafe(byteSize), 0, byteSize, 0);
      memory.keep(name, { bytes, notedAtMs: now });
      return whole(bytes);
    },
    async keep(name, make) {
      const path = join(work, randomUUID());
      try {
        await make(path);
        const { size } = await stat(path);
        await mkdir(shardOf(name), { recursive: true });
        await rename(path, pathOf(name));
        newBytes += size;
        if (hasMuchNew()) tidyLater();
      } finally {
        await rm(path, { force: true });
      }
    },
    tidy,
    async close() {
      isClosed = true;
      clearInterval(timer);
      await tidying?.catch(() => undefined);
    },
  };
}

const whole = (bytes: Buffer): KeptFile => ({ byteSize: bytes.length, read: async (range) => (range ? bytes.subarray(range.start, range.end + 1) : bytes) });

interface Remembered {
  bytes: Buffer;
  /** When its use was noted at its file. */
  notedAtMs: number;
}

/** The bytes that were used last; those used longest ago make room. A name is never given to other bytes, so nothing in here is ever wrong. */
function createMemory(maxBytes: number) {
  const entries = new Map<string, Remembered>();
  let total = 0;
  return {
    find(name: string): Remembered | undefined {
      const found = entries.get(name);
      if (!found) return undefined;
      entries.delete(name);
      entries.set(name, found);
      return found;
    },
    keep(name: string, remembered: Remembered): void {
      total += remembered.bytes.length - (entries.get(name)?.bytes.length ?? 0);
      entries.delete(name);
      entries.set(name, remembered);
      for (const [oldest, { bytes }] of entries) {
        if (total <= maxBytes) return;
        entries.delete(oldest);
        total -= bytes.length;
      }
    },
  };
}

const imageOf = (name: string) => name.slice(0, name.indexOf('.'));

async function filesOf(folder: string): Promise<Entry[]> {
  const files: Entry[] = [];
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const found = await stat(path).catch(absent);
    if (found) files.push({ name, path, byteSize: found.size, usedAtMs: found.mtimeMs });
  }
  return files;
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}
