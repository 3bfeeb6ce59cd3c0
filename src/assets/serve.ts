import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { Log } from '../log.ts';
import { attachment, isPicture } from '../storage/disposition.ts';
import { verifyGrant } from '../storage/signature.ts';
import { ObjectMissing, type Storage } from '../storage/storage.ts';

/** For every answer. The URL is the credential and there are no cookies, so any page may read; nothing served may run. */
const always = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Expose-Headers': 'Accept-Ranges, Content-Disposition, Content-Length, Content-Range, ETag',
  'Cross-Origin-Resource-Policy': 'cross-origin',
  'Content-Security-Policy': "sandbox; default-src 'none'",
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
};

const refusals = {
  WRONG: 'This link is not valid: it was not made by this server or was changed on the way. Ask the API for a new one.',
  EXPIRED: 'This link has expired. Ask the API for a new one.',
};

/** Hands out stored files under `/files/` to whoever holds a signed URL. Answers `false`, and does nothing, for any other path. */
export function serveFiles({ storage, secret, log }: { storage: Storage; secret: string; log: Log }) {
  return async (request: IncomingMessage, response: ServerResponse): Promise<boolean> => {
    if (!request.url?.startsWith('/files/')) return false;
    for (const [name, value] of Object.entries(always)) response.setHeader(name, value);
    try {
      await answer(storage, secret, request, response);
    } catch (error) {
      if (response.headersSent) {
        // Who went away in the middle is no fault of ours.
        if (!isAbort(error)) log.error({ err: error }, 'A file broke off while it was being sent');
        response.destroy();
      } else if (error instanceof ObjectMissing) say(response, 404, 'This file is no longer here.');
      else {
        log.error({ err: error }, 'A file could not be served');
        say(response, 500, 'Something went wrong on our side. Try again later.');
      }
    }
    return true;
  };
}

async function answer(storage: Storage, secret: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method, headers, url = '' } = request;
  if (method === 'OPTIONS') {
    response.writeHead(204, { 'Access-Control-Allow-Methods': 'GET, HEAD', 'Access-Control-Allow-Headers': 'If-None-Match, If-Range, Range', 'Access-Control-Max-Age': '86400' }).end();
    return;
  }
  if (method !== 'GET' && method !== 'HEAD') return say(response, 405, `Expected GET or HEAD for a file but received ${method}.`, { Allow: 'GET, HEAD, OPTIONS' });

  const verdict = verifyGrant(secret, url);
  if ('refused' in verdict) return say(response, 403, refusals[verdict.refused]);
  const { key, expires, inline, name } = verdict.grant;
  const info = await storage.stat(key);
  if (!info) throw new ObjectMissing(key);

  // A key is never given to other bytes, so it is the identity of the bytes.
  const etag = `"${createHash('sha256').update(key).digest('base64url').slice(0, 22)}"`;
  const maxAge = Math.max(0, expires - Math.ceil(Date.now() / 1000));
  const cached = { ETag: etag, 'Cache-Control': `private, max-age=${maxAge}, immutable` };
  if (isKnown(headers['if-none-match'], etag)) {
    response.writeHead(304, cached).end();
    return;
  }

  const described = {
    ...cached,
    'Accept-Ranges': 'bytes',
    'Content-Type': info.contentType,
    'Content-Disposition': inline && isPicture(info.contentType) ? 'inline' : name === undefined ? 'attachment' : attachment(name),
  };
  if (method === 'HEAD') {
    response.writeHead(200, { ...described, 'Content-Length': info.byteSize }).end();
    return;
  }

  const wanted = headers['if-range'] === undefined || headers['if-range'] === etag ? rangeOf(headers.range, info.byteSize) : undefined;
  if (wanted === 'OUTSIDE') return say(response, 416, `Expected a range within ${info.byteSize} bytes but received ${headers.range}.`, { 'Content-Range': `bytes */${info.byteSize}` });
  const bytes = await storage.get(key, wanted);
  if (wanted) response.writeHead(206, { ...described, 'Content-Length': wanted.end - wanted.start + 1, 'Content-Range': `bytes ${wanted.start}-${wanted.end}/${info.byteSize}` });
  else response.writeHead(200, { ...described, 'Content-Length': info.byteSize });
  await pipeline(bytes, response);
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
  return error instanceof Error && 'code' in error && (error.code === 'ERR_STREAM_PREMATURE_CLOSE' || error.code === 'ERR_STREAM_DESTROYED');
}

function say(response: ServerResponse, status: number, sentence: string, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store', ...headers }).end(response.req.method === 'HEAD' ? '' : `${sentence}\n`);
}
