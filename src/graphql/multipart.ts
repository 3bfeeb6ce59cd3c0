import { createHash } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { open } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Busboy, type BusboyFileStream, type BusboyInstance } from '@fastify/busboy';
import type { GraphQLError } from 'graphql';
import { refusal } from './errors.ts';

/** The first bytes that `SpooledFile.head` keeps: enough to tell every accepted format. */
const headBytes = 4_100;

/** A file of a multipart request, on disk until the request is answered. This is the value of a `File` variable in resolvers. */
export class SpooledFile {
  readonly path: string;
  /** As the client named it, without folders and control characters. Never a path of ours. */
  readonly filename: string;
  /** Bytes that arrived, also those that were not kept. */
  readonly byteSize: number;
  /** Of all bytes that arrived, in hexadecimal. */
  readonly sha256: string;
  /** More bytes came than one file may have: only the allowed ones are on disk. */
  readonly tooLarge: boolean;
  /** The first bytes, to tell the format by. */
  readonly head: Uint8Array;

  constructor(facts: { path: string; filename: string; byteSize: number; sha256: string; tooLarge: boolean; head: Uint8Array }) {
    this.path = facts.path;
    this.filename = facts.filename;
    this.byteSize = facts.byteSize;
    this.sha256 = facts.sha256;
    this.tooLarge = facts.tooLarge;
    this.head = facts.head;
  }
}

export interface MultipartLimits {
  maxFiles: number;
  maxFileBytes: number;
  /** Of the fields `operations` and `map`, each. */
  maxFieldBytes: number;
}

/** Bytes of a whole multipart request at the most; the slack is for field texts and part headers. */
export const maxRequestBytes = ({ maxFiles, maxFileBytes, maxFieldBytes }: MultipartLimits): number =>
  maxFiles * maxFileBytes + 2 * maxFieldBytes + 1_000_000;

const malformed = (message: string): GraphQLError => refusal(400, 'INVALID_INPUT', message);

/**
 * Reads a request of the GraphQL multipart request specification into `folder`, a stream all the way: what is in memory does not
 * grow with the files. A file over the limit arrives as `tooLarge`, the others whole. Rejects only after every write has ended,
 * so that the folder can be removed.
 * https://github.com/jaydenseric/graphql-multipart-request-spec
 */
export async function receiveMultipart(request: IncomingMessage, folder: string, limits: MultipartLimits): Promise<Record<string, unknown>> {
  const parser = openParser(request, limits);
  const stop = new AbortController();
  setMaxListeners(limits.maxFiles + 1, stop.signal); // one for each file; Node warns at eleven
  const writes = new Map<string, Promise<SpooledFile>>();
  let operations: Record<string, unknown> | undefined;
  let places: Map<string, string[]> | undefined;

  try {
    await feed(request, parser, maxRequestBytes(limits), (fail) => ({
      field(name, text, truncated) {
        if (truncated) throw refusal(413, 'TOO_LARGE', `Expected at most ${limits.maxFieldBytes} bytes in the field "${name}" but received more`);
        if (name === 'operations' && !operations) operations = parseOperations(text);
        else if (name === 'map' && !places && operations) places = parseMap(text, operations, limits.maxFiles);
        else throw malformed(`Expected the fields "operations", then "map", once each, but received "${shorten(name)}"${name === 'map' ? ' too early or twice' : ''}`);
      },
      file(name, stream, filename) {
        stream.on('error', () => fail(malformed('Expected a whole multipart body but it ended inside a file')));
        if (!places) throw malformed('Expected the fields "operations" and "map" before the first file');
        if (!places.has(name)) throw malformed(`Expected only files that "map" names but received the part "${shorten(name)}"`);
        if (writes.has(name)) throw malformed(`Expected the part "${name}" once but received it twice`);
        const write = spool(stream, join(folder, String(writes.size)), filename, limits.maxFileBytes, stop.signal);
        write.catch(fail);
        writes.set(name, write);
      },
    }));

    if (!operations || !places) throw malformed('Expected the multipart fields "operations" and "map" but the request ended without them');
    for (const [name, paths] of places) {
      const file = await writes.get(name);
      if (!file) throw malformed(`Expected a file for every part of "map" but received none for "${shorten(name)}"`);
      for (const path of paths) put(operations, path, file);
    }
    return operations;
  } catch (error) {
    stop.abort();
    await Promise.allSettled(writes.values());
    throw error;
  }
}

function openParser(request: IncomingMessage, limits: MultipartLimits): BusboyInstance {
  const contentType = request.headers['content-type'] ?? '';
  if (!/;\s*boundary=./i.test(contentType)) throw malformed('Expected a boundary in the header Content-Type: multipart/form-data but received none');
  return new Busboy({
    headers: { ...request.headers, 'content-type': contentType },
    fileHwm: 64 * 1024,
    limits: { fields: 2, fieldSize: limits.maxFieldBytes, files: limits.maxFiles, parts: limits.maxFiles + 2, headerPairs: 20, headerSize: 8 * 1024 },
  });
}

interface PartHandlers {
  field: (name: string, text: string, truncated: boolean) => void;
  file: (name: string, stream: Readable, filename: string) => void;
}

/** Pipes the request through the parser. Settles at the end or at the first failure; the request itself is left alive for the answer. */
function feed(request: IncomingMessage, parser: BusboyInstance, maxBytes: number, handlers: (fail: (error: Error) => void) => PartHandlers): Promise<void> {
  return new Promise((resolve, reject) => {
    let byteSize = 0;
    const fail = (error: Error) => {
      request.unpipe(parser);
      request.off('data', count);
      request.resume();
      reject(error);
    };
    // What a listener throws would surface from the socket and end the process.
    const guarded = (handle: () => void) => {
      try {
        handle();
      } catch (error) {
        fail(error instanceof Error ? error : new Error(String(error)));
      }
    };
    const count = (chunk: Buffer) => {
      byteSize += chunk.length;
      if (byteSize > maxBytes) fail(refusal(413, 'TOO_LARGE', `Expected at most ${maxBytes} bytes in one request but received more`));
    };
    const brokenOff = () => fail(malformed('Expected a whole multipart body but the connection closed before its end'));
    const { field, file } = handlers(fail);
    // The client may have left while we asked who it is; its request then says nothing more, not even that it closed.
    if (request.destroyed) return brokenOff();

    parser
      // Its types promise a name, but a part may come without one.
      .on('field', (name: string | undefined, text: string, _: boolean, truncated: boolean) => guarded(() => field(name ?? '', text, truncated)))
      .on('file', (name: string | undefined, stream: BusboyFileStream, filename: string | undefined) => {
        stream.on('error', () => {});
        guarded(() => file(name ?? '', stream, cleanName(filename)));
      })
      .on('fieldsLimit', () => fail(malformed('Expected only the fields "operations" and "map" but received more')))
      .on('filesLimit', () => fail(malformed('Expected only files that "map" names but received more')))
      .on('partsLimit', () => fail(malformed('Expected only "operations", "map" and the files that "map" names but received more parts')))
      .on('error', (error) => fail(malformed(`Expected a multipart body but could not read it: ${error instanceof Error ? error.message : String(error)}`)))
      .on('finish', resolve);
    request.on('data', count).once('error', brokenOff).once('close', () => { if (!request.complete) brokenOff(); }).pipe(parser);
  });
}

async function spool(source: Readable, path: string, filename: string, maxBytes: number, signal: AbortSignal): Promise<SpooledFile> {
  const hash = createHash('sha256');
  let byteSize = 0;
  let head = Buffer.alloc(0);
  // Opened here: a stream that is stopped at once would open its file when the folder is being removed.
  await using file = await open(path, 'wx', 0o600);
  await pipeline(
    source,
    async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        const room = maxBytes - byteSize;
        byteSize += chunk.length;
        hash.update(chunk);
        if (head.length < headBytes) head = Buffer.concat([head, chunk.subarray(0, headBytes - head.length)]);
        if (room > 0) yield chunk.subarray(0, room);
      }
    },
    file.createWriteStream(),
    { signal },
  );
  return new SpooledFile({ path, filename, byteSize, sha256: hash.digest('hex'), tooLarge: byteSize > maxBytes, head });
}

function parseOperations(text: string): Record<string, unknown> {
  const value = parseJson('operations', text);
  if (Array.isArray(value)) throw malformed('Expected one operation in "operations" but received a list: batches are not supported');
  if (!isRecord(value)) throw malformed('Expected a JSON object in "operations", such as {"query": "…", "variables": {"files": [null]}}');
  return value;
}

/** Which part belongs where. Every path must lead to a null inside `variables`. */
function parseMap(text: string, operations: Record<string, unknown>, maxFiles: number): Map<string, string[]> {
  const value = parseJson('map', text);
  if (!isRecord(value)) throw malformed('Expected a JSON object in "map", such as {"0": ["variables.files.0"]}');
  const places = new Map<string, string[]>();
  let count = 0;
  for (const [name, paths] of Object.entries(value)) {
    if (!Array.isArray(paths) || !paths.every((path) => typeof path === 'string')) throw malformed(`Expected a list of paths for "${shorten(name)}" in "map", such as ["variables.files.0"]`);
    places.set(name, paths);
    count += Math.max(paths.length, 1);
  }
  if (count > maxFiles) throw refusal(413, 'TOO_MANY_FILES', `Expected at most ${maxFiles} files in one request but received ${count}. Send the others in further requests.`);
  for (const path of [...places.values()].flat()) put(operations, path, null);
  return places;
}

/** Puts a value where `path` leads; only a place that holds null takes one, so a path cannot reach into a prototype or over other input. */
function put(operations: Record<string, unknown>, path: string, value: SpooledFile | null): void {
  const steps = path.split('.');
  const last = steps.pop() ?? '';
  let holder: unknown = operations;
  for (const step of steps) holder = isHolder(holder) && Object.hasOwn(holder, step) ? Reflect.get(holder, step) : undefined;
  if (steps[0] !== 'variables' || !isHolder(holder) || !Object.hasOwn(holder, last) || Reflect.get(holder, last) !== null) {
    throw malformed(`Expected null in "operations" at the path "${shorten(path)}" of "map" but found something else`);
  }
  if (value) Reflect.set(holder, last, value);
}

function parseJson(field: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw malformed(`Expected JSON in the field "${field}" but could not parse it`);
  }
}

const isHolder = (value: unknown): value is object => typeof value === 'object' && value !== null && !(value instanceof SpooledFile);
const isRecord = (value: unknown): value is Record<string, unknown> => isHolder(value) && !Array.isArray(value);
const shorten = (text: string) => (text.length > 80 ? `${text.slice(0, 80)}…` : text);

/** A name that is safe to show and to store: no folders, no control or text-direction characters, at most 200 characters. */
function cleanName(filename: string | undefined): string {
  // eslint-disable-next-line no-control-regex
  return (filename ?? '').replace(/^.*[\\/]/, '').replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '').trim().slice(-200) || 'unnamed';
}
