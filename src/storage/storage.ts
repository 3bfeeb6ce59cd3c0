import type { Readable } from 'node:stream';

/** What the store knows of an object without reading it. */
export interface ObjectInfo {
  byteSize: number;
  contentType: string;
}

/** How a signed URL hands the object out. */
export interface SignOptions {
  expiresInSeconds: number;
  /** The name the browser saves it under; also makes the answer an attachment. Without it the object is shown inline where that is safe. */
  downloadAs?: string;
}

/**
 * Where bytes live. Keys are made by us (`originals/<id>`, `processed/<id>`), never by a user, and never reused.
 * Every sibling passes `test/storage.test.ts`.
 */
export interface Storage {
  /** Stores the bytes whole or not at all: a crash or an error half-way leaves nothing under the key. */
  put(key: string, body: Readable | Uint8Array, info: ObjectInfo): Promise<void>;
  /** The bytes, or `range` of them (both ends included). Rejects with `ObjectMissing` before the first byte. */
  get(key: string, range?: { start: number; end: number }): Promise<Readable>;
  /** Writes the object to a new local file. */
  download(key: string, path: string): Promise<void>;
  /** `null` where there is no such object. */
  stat(key: string): Promise<ObjectInfo | null>;
  /** Deleting what is not there is fine. */
  delete(keys: string[]): Promise<void>;
  /** Every key that starts with the prefix, in no particular order. */
  list(prefix: string): AsyncIterable<string>;
  /** A URL that anyone who holds it can GET until it expires. Costs no call to the store. */
  signedUrl(key: string, options: SignOptions): Promise<string>;
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
