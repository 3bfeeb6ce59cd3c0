import type { PassThrough, Readable } from 'node:stream';
import { ZipFile } from 'yazl';
import { uniqueNames } from '../storage/file-name.ts';
import type { Storage } from '../storage/storage.ts';

export interface ZipEntry {
  storageKey: string;
  filename: string;
  contentType: string;
  byteSize: number;
  createdAt: Date;
}

/** Types whose bytes are compressed already: trying again costs much and gives nothing. */
const compressed = /^(image\/(?!bmp|tiff)|audio\/(?!wav|x-wav)|video\/|application\/zip)/;

/**
 * Stored files as one zip, read one after the other while it is sent: it costs the memory of one stream, however large it is. Its size is
 * known before where everything is compressed already, else null. The stream breaks where an object is missing or has another size than
 * its row says, and what it reads from is closed with it.
 */
export function createZip(storage: Pick<Storage, 'get'>, entries: readonly ZipEntry[]): { byteSize: number | null; read(): Readable } {
  const zip = new ZipFile();
  const output = zip.outputStream as PassThrough;
  let source: Readable | undefined;
  let start = () => {};
  // The library opens the first entry as soon as it is added, but whoever asks for the size alone wants nothing read.
  const started = new Promise<void>((resolve) => (start = resolve));
  const openSource = async ({ storageKey, byteSize }: ZipEntry) => {
    await started;
    source = await storage.get(storageKey);
    source.on('error', (error) => zip.emit('error', error));
    // The library sees it at the end of the entry, when the client may have as many bytes as it was told to expect.
    let left = byteSize;
    source.on('data', (chunk: Buffer) => (left -= chunk.length) < 0 && zip.emit('error', new Error(`Expected ${byteSize} bytes under ${storageKey} but received more`)));
    if (output.destroyed) source.destroy();
    return source;
  };
  zip.on('error', (error) => output.destroy(error as Error));
  output.once('close', () => source?.destroy());

  const names = uniqueNames(entries.map(({ filename }) => filename));
  for (const [index, entry] of entries.entries()) {
    const options = { size: entry.byteSize, mtime: entry.createdAt, compress: !compressed.test(entry.contentType) };
    zip.addReadStreamLazy(names[index]!, options, (opened) => void openSource(entry).then((stream) => opened(null, stream), (error: unknown) => zip.emit('error', error)));
  }
  let byteSize: number | null = null;
  // Called before `end` returns, with -1 where it cannot be told; its types forget the size.
  zip.end({ forceZip64Format: false, comment: '' }, (...[size = -1]: number[]) => (byteSize = size < 0 ? null : size));
  return {
    byteSize,
    read() {
      start();
      return output;
    },
  };
}
