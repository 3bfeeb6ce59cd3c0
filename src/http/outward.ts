import { createHash } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import { request as requestHttp, type IncomingMessage } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { ProviderError, UserError } from '../errors.ts';
import { megabytes } from '../sizes.ts';
import type { Guard } from './guard.ts';

export interface Download {
  /** A file that is not there yet; it stays only when the download succeeds. */
  path: string;
  /** Of the file, and of what is transferred for it. */
  maxBytes: number;
  /** For the whole of it, redirects included. */
  timeoutMs: number;
  signal: AbortSignal;
  /** What we would like, as the header Accept; the other side may send something else. */
  accept?: string;
}

/** What came. The type and the name are what the other side says: believe neither. */
export interface Downloaded {
  byteSize: number;
  sha256: string;
  contentType: string;
  filename: string;
}

export interface Post {
  headers: Record<string, string>;
  body: string | Uint8Array;
  timeoutMs: number;
  signal: AbortSignal;
}

/** Requests to where somebody outside wants us to go. None of them reaches a private address; none carries a credential of ours. */
export interface Outward {
  /** Throws `URL_REFUSED` for a URL that can be refused without asking anybody; one that passes may still be refused when it is used. */
  check(url: string): void;
  /**
   * Fetches what a URL names into a file. Follows up to five redirects, each judged like the URL itself. Rejects with a `UserError`
   * (`URL_REFUSED`, `URL_UNREACHABLE`, `TOO_LARGE`), or with the signal's reason when that is aborted.
   */
  download(url: string, options: Download): Promise<Downloaded>;
  /** Sends a small body and gives the status, whichever it is, and the first 64 KB of the answer. Follows no redirect. Rejects as `download` does. */
  post(url: string, options: Post): Promise<{ status: number; text: string }>;
}

const maxRedirects = 5;
const maxTextBytes = 64_000;
/** A full disk is no fault of whoever named the URL. */
const localFaults = new Set(['EACCES', 'EDQUOT', 'EEXIST', 'EIO', 'EMFILE', 'ENOENT', 'ENOSPC', 'EROFS']);
const decoders: Record<string, () => Transform> = { gzip: createGunzip, 'x-gzip': createGunzip, deflate: createInflate, br: createBrotliDecompress };

/** A connection on which nothing moves for `stallMs` is given up. */
export function createOutward(guard: Guard, { stallMs = 15_000 } = {}): Outward {
  /** One request and the head of its answer. `limit` aborts it, body included. */
  async function send(url: URL, method: string, headers: Record<string, string>, limit: AbortSignal, body?: string | Uint8Array): Promise<IncomingMessage> {
    const open = url.protocol === 'https:' ? requestHttps : requestHttp;
    // An agent of its own: no connection outlives its request, so none is ever shared with another name.
    const request = open(url, { method, headers: { 'User-Agent': 'Darkroom', ...headers }, agent: false, lookup: guard.lookupFor(url), signal: limit, timeout: stallMs });
    request.once('timeout', () => request.destroy(new UserError('URL_UNREACHABLE', `${url.host} sent nothing for ${stallMs / 1_000} s`)));
    return new Promise((resolve, reject) => {
      request.once('response', (response) => {
        // A connection may break while nobody reads; whoever reads next hears of it.
        response.on('error', () => {});
        request.on('error', (error) => response.destroy(error));
        resolve(response);
      });
      request.on('error', reject).end(body);
    });
  }

  async function follow(text: string, headers: Record<string, string>, limit: AbortSignal): Promise<{ url: URL; response: IncomingMessage }> {
    let url = guard.check(text);
    for (let hop = 0; ; hop++) {
      const response = await send(url, 'GET', headers, limit);
      const { statusCode = 0, headers: { location } } = response;
      if (statusCode >= 200 && statusCode < 300) return { url, response };
      response.destroy();
      if (![301, 302, 303, 307, 308].includes(statusCode) || !location) throw new UserError('URL_UNREACHABLE', `Expected a file from ${url.host} but received the status ${statusCode}`);
      if (hop === maxRedirects) throw new UserError('URL_REFUSED', `Expected at most ${maxRedirects} redirects but received more, the last from ${url.host}`);
      url = guard.check(URL.canParse(location, url) ? new URL(location, url).href : location);
    }
  }

  return {
    check: (text) => void guard.check(text),
    download: (text, { path, maxBytes, timeoutMs, signal, accept = '*/*' }) =>
      limited(text, timeoutMs, signal, async (limit) => {
        const { url, response } = await follow(text, { Accept: accept, 'Accept-Encoding': 'identity' }, limit);
        try {
          return { ...(await keep(response, path, maxBytes, limit)), ...describe(url, response) };
        } finally {
          response.destroy();
        }
      }),
    post: (text, { headers, body, timeoutMs, signal }) =>
      limited(text, timeoutMs, signal, async (limit) => {
        const url = guard.check(text);
        const response = await send(url, 'POST', { 'Content-Length': String(Buffer.byteLength(body)), 'Accept-Encoding': 'identity', ...headers }, limit, body);
        try {
          return { status: response.statusCode ?? 0, text: await readText(response) };
        } finally {
          response.destroy();
        }
      }),
  };
}

/** Runs a request under its time limit and turns whatever the network throws into a sentence. */
async function limited<Result>(text: string, timeoutMs: number, signal: AbortSignal, work: (limit: AbortSignal) => Promise<Result>): Promise<Result> {
  signal.throwIfAborted();
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    return await work(AbortSignal.any([signal, timeout]));
  } catch (error) {
    signal.throwIfAborted();
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'no reason given';
    if (error instanceof UserError || localFaults.has(code)) throw error;
    const { host } = new URL(text);
    if (timeout.aborted) throw new UserError('URL_UNREACHABLE', `Expected ${host} to be done within ${timeoutMs / 1_000} s but it was not`, { cause: error });
    throw new UserError('URL_UNREACHABLE', `The exchange with ${host} broke off (${code})`, { cause: error });
  }
}

/** Writes the body, decoded, as long as it is within its limit. What is left of a failure is no file. */
async function keep(response: IncomingMessage, path: string, maxBytes: number, limit: AbortSignal): Promise<{ byteSize: number; sha256: string }> {
  const tooLarge = () => new UserError('TOO_LARGE', `Expected a file of at most ${megabytes(maxBytes)} behind the URL but it has more`);
  if (Number(response.headers['content-length'] ?? 0) > maxBytes) throw tooLarge();
  const counted = () => {
    const count = { byteSize: 0, hash: createHash('sha256') };
    const pass = async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        count.byteSize += chunk.length;
        if (count.byteSize > maxBytes) throw tooLarge();
        count.hash.update(chunk);
        yield chunk;
      }
    };
    return { count, pass };
  };
  const coding = (response.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  const decode = decoders[coding];
  if (coding !== 'identity' && !decode) throw new UserError('URL_REFUSED', `Expected a file as it is but received one in the coding "${coding.slice(0, 40)}"`);

  const file = await open(path, 'wx', 0o600);
  const [sent, kept] = [counted(), counted()];
  try {
    const sink = file.createWriteStream();
    if (decode) await pipeline(response, sent.pass, decode(), kept.pass, sink, { signal: limit });
    else await pipeline(response, kept.pass, sink, { signal: limit });
  } catch (error) {
    await file.close();
    await rm(path, { force: true });
    throw error;
  }
  return { byteSize: kept.count.byteSize, sha256: kept.count.hash.digest('hex') };
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let byteSize = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    byteSize += chunk.length;
    if (byteSize >= maxTextBytes) break;
  }
  return Buffer.concat(chunks).subarray(0, maxTextBytes).toString('utf8');
}

function describe(url: URL, { headers }: IncomingMessage): { contentType: string; filename: string } {
  const contentType = (headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase() || 'application/octet-stream';
  const disposition = headers['content-disposition'] ?? '';
  const [, extended] = /filename\*\s*=\s*utf-8''([^;\s]+)/i.exec(disposition) ?? [];
  const [, quoted, plain] = /filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]+))/i.exec(disposition) ?? [];
  const named = extended ? decoded(extended) : (quoted?.replace(/\\(.)/g, '$1') ?? plain);
  return { contentType, filename: named || decoded(url.pathname.split('/').at(-1) ?? '') || url.hostname };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a stray percent sign: the name as it is
  }
}

/** For providers: the failure of a download that a provider's answer named. A place that answered badly may be asked again. */
export function asProviderError(provider: string, error: unknown): unknown {
  if (!(error instanceof UserError)) return error;
  return new ProviderError('PROVIDER_ERROR', `The file that ${provider} made could not be fetched: ${error.message}`, { retryable: error.code === 'URL_UNREACHABLE', hint: error.hint, cause: error });
}
