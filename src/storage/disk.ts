import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, mkdir, open, opendir, readdir, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { isOriginal } from './disposition.ts';
import { expiryOf, signGrant, signPut } from './signature.ts';
import { checkInfo, checkKey, ObjectMissing, type ObjectInfo, type Storage } from './storage.ts';

/** A temporary file that nobody has written to for this long was left by a crash. */
const abandonedMs = 3_600_000;

/**
 * Objects as plain files. An object is the folder `<root>/<key>` with one file in it, named by its content type: bytes and
 * type come into being with one rename, and the file is byte for byte what was stored. Bytes arrive in `<root>/.incoming`,
 * which is no key, so what a crash leaves is found without a walk.
 */
export async function diskStorage({ root: given, publicUrl, secret }: { root: string; publicUrl: () => string; secret: string }): Promise<Storage> {
  const root = resolve(given);
  const incoming = join(root, '.incoming');
  await mkdir(incoming, { recursive: true, mode: 0o700 });
  await removeAbandoned(incoming);

  const folderOf = (key: string) => join(root, checkKey(key));

  /** The file of an object. */
  async function find(key: string): Promise<{ path: string; contentType: string }> {
    const folder = folderOf(key);
    const name = (await filesByAge(folder))[0];
    if (name === undefined) throw new ObjectMissing(key);
    return { path: join(folder, name), contentType: decodeURIComponent(name) };
  }

  /** Makes an object of what `write` has brought to the disk under the path that it is given. */
  async function make(key: string, info: ObjectInfo, write: (temporary: string) => Promise<void>): Promise<void> {
    const folder = folderOf(key);
    const name = encodeURIComponent(checkInfo(info).contentType);
    const temporary = join(incoming, randomUUID());
    try {
      await write(temporary);
      const firstMade = await mkdir(folder, { recursive: true });
      await rename(temporary, join(folder, name));
      await syncFolders(folder, firstMade ? dirname(firstMade) : folder);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }

  return {
    put: (key, body, info) => make(key, info, (temporary) => write(temporary, body, info.byteSize, key)),
    upload: (key, path, info) => make(key, info, (temporary) => copy(path, temporary, info.byteSize, key)),

    async get(key, range) {
      const { path } = await find(key);
      const file = await open(path).catch(missing(key));
      return file.createReadStream(range);
    },

    async download(key, path) {
      const { path: source } = await find(key);
      await copyFile(source, path, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
    },

    pathOf: async (key) => (await find(key)).path,

    async stat(key) {
      try {
        const { path, contentType } = await find(key);
        const { size } = await stat(path).catch(missing(key));
        return { byteSize: size, contentType };
      } catch (error) {
        if (error instanceof ObjectMissing) return null;
        throw error;
      }
    },

    async delete(keys) {
      for (const key of keys) {
        const folder = folderOf(key);
        for (const name of await filesByAge(folder)) await rm(join(folder, name), { force: true });
        await rmdir(folder).catch(unless('ENOENT', 'ENOTEMPTY'));
        // What the last piece of an upload leaves empty, but not the first folder, which is there for all of a kind.
        for (let above = dirname(key); above.includes('/'); above = dirname(above)) await rmdir(join(root, above)).catch(unless('ENOENT', 'ENOTEMPTY'));
      }
    },

    list: (prefix) => walk(root, '', prefix),

    signedUrl(key, { expiresInSeconds, downloadAs }) {
      checkKey(key);
      const inline = downloadAs === undefined && !isOriginal(key);
      return publicUrl() + signGrant(secret, { key, expires: expiryOf(expiresInSeconds), inline, name: downloadAs });
    },

    signedPut: async (key, expiresAt) => publicUrl() + signPut(secret, checkKey(key), expiresAt),

    async check() {
      const probe = join(incoming, randomUUID());
      try {
        await writeFile(probe, 'Darkroom can write here.');
      } finally {
        await rm(probe, { force: true });
      }
    },

    async close() {},
  };
}

/** Writes exactly the announced number of bytes and has them on the disk; stops at the first byte too many. */
async function write(path: string, body: Readable | Uint8Array, byteSize: number, key: string): Promise<void> {
  let received = 0;
  const count = new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      received += chunk.byteLength;
      if (received > byteSize) done(new Error(`Expected ${byteSize} bytes for ${key} but received more`));
      else done(null, chunk);
    },
  });
  const source = body instanceof Readable ? body : Readable.from([body]);
  // Opened here: a stream that is refused at once would open its file only when that has been removed already.
  await using file = await open(path, 'wx', 0o600);
  await pipeline(source, count, file.createWriteStream({ flush: true }));
  if (received < byteSize) throw new Error(`Expected ${byteSize} bytes for ${key} but received ${received}`);
}

/** The same with the bytes of a file: shares its blocks where the file system can, and copies them where it cannot. */
async function copy(source: string, path: string, byteSize: number, key: string): Promise<void> {
  await copyFile(source, path, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
  await using file = await open(path, 'r+');
  const { size } = await file.stat();
  if (size !== byteSize) throw new Error(`Expected ${byteSize} bytes for ${key} but received ${size}`);
  await file.chmod(0o600);
  await file.sync();
}

/** A rename is only safe from a power cut when the folders that changed are on the disk too. */
async function syncFolders(from: string, upTo: string): Promise<void> {
  for (let folder = from; ; folder = dirname(folder)) {
    await using handle = await open(folder);
    await handle.sync();
    if (folder === upTo) return;
  }
}

/**
 * The files of an object, the newest first; the others were replaced by one of another type. They stay until the delete, because of
 * two puts at once each could remove the other's file. Keys are never reused, so it costs nothing.
 */
async function filesByAge(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(unless('ENOENT'));
  const names = (entries ?? []).filter((entry) => entry.isFile()).map((entry) => entry.name);
  if (names.length < 2) return names;
  const ages = await Promise.all(names.map(async (name) => ({ name, at: (await stat(join(folder, name)).catch(unless('ENOENT')))?.mtimeMs ?? 0 })));
  return ages.sort((one, other) => other.at - one.at).map(({ name }) => name);
}

async function* walk(folder: string, key: string, prefix: string): AsyncGenerator<string> {
  const entries = await opendir(folder).catch(unless('ENOENT'));
  let isObject = false;
  for await (const entry of entries ?? []) {
    if (entry.isFile()) isObject = true;
    if (!entry.isDirectory() || entry.name.startsWith('.')) continue;
    const inner = key === '' ? entry.name : `${key}/${entry.name}`;
    if (inner.startsWith(prefix) || prefix.startsWith(`${inner}/`)) yield* walk(join(folder, entry.name), inner, prefix);
  }
  if (isObject && key.startsWith(prefix)) yield key;
}

/** Another process may be writing into the same folder right now: only what is old is abandoned. */
async function removeAbandoned(incoming: string): Promise<void> {
  for (const name of await readdir(incoming)) {
    const path = join(incoming, name);
    const found = await stat(path).catch(unless('ENOENT'));
    if (found && Date.now() - found.mtimeMs > abandonedMs) await rm(path, { force: true });
  }
}

function missing(key: string) {
  return (error: NodeJS.ErrnoException): never => {
    throw error.code === 'ENOENT' ? new ObjectMissing(key) : error;
  };
}

function unless(...codes: string[]) {
  return (error: NodeJS.ErrnoException): undefined => {
    if (!codes.includes(error.code ?? '')) throw error;
  };
}
