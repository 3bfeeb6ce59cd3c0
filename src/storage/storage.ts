import type { Readable } from 'node:stream';

/** What the store knows of an object without reading it. */
export interface ObjectInfo {
  byteSize: number;
  contentType: string;
}

/** How a signed URL hands the object out. */
export interface SignOptions {
  /** The URL lives at least this long, and at most a quarter longer so that it stays the same for a while and caches work. */
  expiresInSeconds: number;
  /** The name the browser saves it under; also makes the answer an attachment. Without it the object is shown inline where that is safe; an original never is. */
  downloadAs?: string;
}

/**
 * Where bytes live. Keys are made by us (`originals/<id>`, `processed/<id>`, `uploads/<id>` for what is not checked yet), never by a user, and never reused.
 * Every sibling passes `test/storage.test.ts`.
 */
export interface Storage {
  /**
   * Stores the bytes whole or not at all: a crash or an error half-way leaves under the key what was there before. Rejects when
   * more or fewer bytes come than announced. Of two puts under one key the last wins; of two of different types, one of them.
   */
  put(key: string, body: Readable | Uint8Array, info: ObjectInfo): Promise<void>;
  /** The same for the bytes of a local file, which stays as it is. */
  upload(key: string, path: string, info: ObjectInfo): Promise<void>;
  /** The bytes, or `range` of them (both ends included). Rejects with `ObjectMissing` before the first byte. */
  get(key: string, range?: { start: number; end: number }): Promise<Readable>;
  /** Writes the object to a new local file. Rejects with `ObjectMissing`. */
  download(key: string, path: string): Promise<void>;
  /** Only where objects are files of this machine: the path of one, to read it where it lies. Rejects with `ObjectMissing`. */
  pathOf?(key: string): Promise<string>;
  /** `null` where there is no such object. */
  stat(key: string): Promise<ObjectInfo | null>;
  /** Deleting what is not there is fine. */
  delete(keys: string[]): Promise<void>;
  /** Every key that starts with the prefix, in no particular order. */
  list(prefix: string): AsyncIterable<string>;
  /** A URL that anyone who holds it can GET until it expires. Costs no call to the store; no promise where none is needed, because lists ask for many. */
  signedUrl(key: string, options: SignOptions): string | Promise<string>;
  /**
   * A URL under which anyone who holds it can PUT bytes for the key until then. How many come, and which, the store may not check:
   * whoever uses them does. Costs no call to the store.
   */
  signedPut(key: string, expiresAt: Date): Promise<string>;
  /** Rejects, with the reason, when the store cannot be written to right now. */
  check(): Promise<void>;
  close(): Promise<void>;
}

export class ObjectMissing extends Error {
  constructor(key: string) {
    super(`No object under ${key}`);
    this.name = 'ObjectMissing';
  }
}

/** The store does not answer, or not as it should; later it may. The message is for logs and operators: it says where, what came and what helps, and no secret. */
export class StorageUnavailable extends Error {
  override name = 'StorageUnavailable';
}

/** Whether it is a key that we make. */
export function isKey(key: string): boolean {
  return key.length <= 255 && /^[\w-][\w.-]*(\/[\w-][\w.-]*)*$/.test(key);
}

/** The key itself, where it is one that we make. Every sibling refuses the others before they reach the store. */
export function checkKey(key: string): string {
  if (isKey(key)) return key;
  throw new Error(`Expected a key of letters, digits, "_", "-", "." and "/" with 255 characters at the most but received ${JSON.stringify(key.slice(0, 300))}`);
}

/** What is announced, where it can be true. A content type becomes a header, so it holds nothing but a type. */
export function checkInfo(info: ObjectInfo): ObjectInfo {
  if (!Number.isSafeInteger(info.byteSize) || info.byteSize < 0) throw new Error(`Expected a number of bytes for an object but received ${info.byteSize}`);
  if (info.contentType.length <= 100 && /^\w[\w.+-]*\/\w[\w.+-]*(; ?[\w-]+=[\w.-]+)*$/.test(info.contentType)) return info;
  throw new Error(`Expected a content type such as image/png for an object but received ${JSON.stringify(info.contentType.slice(0, 150))}`);
}
