import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Log } from '../log.ts';
import type { Verdict } from '../storage/signature.ts';
import { ObjectMissing } from '../storage/storage.ts';

/** For every answer. The URL is the credential and there are no cookies, so any page may read; nothing served may run. */
const always = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Expose-Headers': 'Accept-Ranges, Content-Disposition, Content-Length, Content-Range, ETag',
  'Cross-Origin-Resource-Policy': 'cross-origin',
  'Content-Security-Policy': "sandbox; default-src 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
};

const refusals = {
  WRONG: 'This link is not valid: it was not made by this server or was changed on the way. Ask the API for a new one.',
  EXPIRED: 'This link has expired. Ask the API for a new one.',
};

// Made once: with its stack it costs more than the rest of an answer from memory.
const left = new DOMException('The client left', 'AbortError');

/** What a signed URL leads to. */
export interface Found {
  /** Names these very bytes: never the same for others. Without it nobody could tell a part of them from a part of others, so they come whole. */
  etag?: string;
  cacheControl: string;
  headers?: Record<string, string>;
  /** Called only where the bytes are wanted. Their number is null where only sending them tells it. */
  open(): Promise<{ byteSize: number | null; headers: Record<string, string>; read(range?: { start: number; end: number }): Promise<Readable | Uint8Array> }>;
}

/** The answer is a sentence in plain text. */
export class Refusal extends Error {
  readonly status: number;
  readonly headers: Record<string, string>;

  constructor(status: number, message: string, options: { headers?: Record<string, string>; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = 'Refusal';
    this.status = status;
    this.headers = options.headers ?? {};
  }
}

/** Whoever holds the URL may keep what it gave for as long as the URL works. */
export function whileGranted(expires: number): string {
  return `private, max-age=${Math.max(0, expires - Math.ceil(Date.now() / 1000))}, immutable`;
}

export interface SignedRoute<Grant> {
  /** Such as `/files/`. Any other path is left to others. */
  prefix: string;
  verify(pathAndQuery: string): Verdict<Grant>;
  /** Rejects with `ObjectMissing` or a `Refusal` where there is nothing to send. `gone` aborts when the client leaves. */
  find(grant: Grant, request: IncomingMessage, gone: AbortSignal): Promise<Found>;
  log: Log;
}

/** Sends what signed URLs grant, with ranges and for caches to keep. Answers `false`, and does nothing, for any other path. */
export function signedRoute<Grant>(route: SignedRoute<Grant>) {
  return async (request: IncomingMessage, response: ServerResponse): Promise<boolean> => {
    if (!request.url?.startsWith(route.prefix)) return false;
    for (const [name, value] of Object.entries(always)) response.setHeader(name, value);
    try {
      await answer(route, request, response);
    } catch (error) {
      if (isAbort(error)) response.destroy(); // who went away is no fault of ours
      else if (response.headersSent) {
        route.log.error({ err: error }, 'A file broke off while it was being sent');
        response.destroy();
      } else if (error instanceof ObjectMissing) say(response, 404, 'This file is no longer here.');
      else if (error instanceof Refusal) say(response, error.status, error.message, error.headers);
      else {
        route.log.error({ err: error }, 'A file could not be served');
        say(response, 500, 'Something went wrong on our side. Try again later.');
      }
    }
    return true;
  };
}

async function answer<Grant>({ verify, find }: SignedRoute<Grant>, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method, headers, url = '' } = request;
  if (method === 'OPTIONS') {
    response.writeHead(204, { 'Access-Control-Allow-Methods': 'GET, HEAD', 'Access-Control-Allow-Headers': 'If-None-Match, If-Range, Range', 'Access-Control-Max-Age': '86400' }).end();
    return;
  }
  if (method !== 'GET' && method !== 'HEAD') throw new Refusal(405, `Expected GET or HEAD for a file but received ${method}.`, { headers: { Allow: 'GET, HEAD, OPTIONS' } });

  const verdict = verify(url);
  if ('refused' in verdict) throw new Refusal(403, refusals[verdict.refused]);
  const gone = new AbortController();
  response.once('close', () => gone.abort(left));
  const { etag, cacheControl, headers: kind, open } = await find(verdict.grant, request, gone.signal);

  const cached = { ...kind, ...(etag && { ETag: etag }), 'Cache-Control': cacheControl };
  if (etag && isKnown(headers['if-none-match'], etag)) {
    response.writeHead(304, cached).end();
    return;
  }

  const { byteSize, headers: described, read } = await open();
  const whole = { ...cached, ...described, 'Accept-Ranges': etag ? 'bytes' : 'none', ...(byteSize !== null && { 'Content-Length': byteSize }) };
  if (method === 'HEAD') {
    response.writeHead(200, whole).end();
    return;
  }

  const mayBePart = etag && byteSize !== null && (headers['if-range'] === undefined || headers['if-range'] === etag);
  const wanted = mayBePart ? rangeOf(headers.range, byteSize) : undefined;
  if (wanted === 'OUTSIDE') throw new Refusal(416, `Expected a range within ${byteSize} bytes but received ${headers.range}.`, { headers: { 'Content-Range': `bytes */${byteSize}` } });
  const bytes = await read(wanted);
  if (wanted) response.writeHead(206, { ...whole, 'Content-Length': wanted.end - wanted.start + 1, 'Content-Range': `bytes ${wanted.start}-${wanted.end}/${byteSize}` });
  else response.writeHead(200, whole);
  if (bytes instanceof Uint8Array) response.end(bytes);
  else await pipeline(bytes, response);
}

/** One range of bytes, both ends included. What is malformed or asks for several ranges may be answered whole (RFC 9110, 14.2). */
function rangeOf(header: string | undefined, byteSize: number): { start: number; end: number } | 'OUTSIDE' | undefined {
  const match = /^bytes=\s*(?:(\d+)-(\d*)|-(\d+))\s*$/i.exec(header ?? '');
  if (!match) return undefined;
  const [, first, last, suffix] = match;
  if (suffix !== undefined) {
    const length = Math.min(Number(suffix), byteSize);
    return length === 0 ? 'OUTSIDE' : { start: byteSize - length, end: byteSize - 1 };
  }
  const start = Number(first);
  if (last && Number(last) < start) return undefined;
  if (start >= byteSize) return 'OUTSIDE';
  return { start, end: last ? Math.min(Number(last), byteSize - 1) : byteSize - 1 };
}

function isKnown(header: string | undefined, etag: string): boolean {
  return (header ?? '').split(',').some((known) => known.trim() === '*' || known.trim().replace(/^W\//, '') === etag);
}

function isAbort(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return error.name === 'AbortError' || ('code' in error && (error.code === 'ERR_STREAM_PREMATURE_CLOSE' || error.code === 'ERR_STREAM_DESTROYED'));
}

function say(response: ServerResponse, status: number, sentence: string, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store', ...headers }).end(response.req.method === 'HEAD' ? '' : `${sentence}\n`);
}
