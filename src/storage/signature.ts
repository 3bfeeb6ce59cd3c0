import { createHmac, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import { link, mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** What a signed URL grants: GET of one object until a moment, as an attachment under `name` or, where that is safe, inline. */
export interface Grant {
  key: string;
  /** Seconds since 1970. */
  expires: number;
  inline: boolean;
  name?: string;
}

export type Verdict<Granted = Grant> = { grant: Granted } | { refused: 'WRONG' | 'EXPIRED' };

const separator = '&signature=';

/** Path and query with a signature over every character of them, so that nothing can be changed or added. `expires` must be in the query. */
export function signPath(secret: string, pathAndQuery: string): string {
  return `${pathAndQuery}${separator}${mac(secret, pathAndQuery)}`;
}

/** What `signPath` was given, where this server signed it and its time is not over. */
export function verifyPath(secret: string, signed: string, now: Date = new Date()): Verdict<{ url: URL; expires: number }> {
  const cut = signed.lastIndexOf(separator);
  const text = signed.slice(0, Math.max(cut, 0));
  if (cut < 0 || !isSame(signed.slice(cut + separator.length), mac(secret, text))) return { refused: 'WRONG' };

  const url = new URL(text, 'http://signed');
  const expires = Number(url.searchParams.get('expires'));
  return expires * 1000 <= now.getTime() ? { refused: 'EXPIRED' } : { grant: { url, expires } };
}

/** A path whose signature never expires: whoever serves it asks something else whether it still holds. */
export function signPermanent(secret: string, prefix: string, rest: string): string {
  return `${prefix}${mac(secret, prefix + rest)}/${rest}`;
}

/** The rest of the path that `signPermanent` was given. */
export function verifyPermanent(secret: string, prefix: string, path: string): Verdict<string> {
  const [, signature, rest] = /^([\w-]+)\/(.*)$/.exec(path.slice(prefix.length)) ?? [];
  if (signature === undefined || rest === undefined || !isSame(signature, mac(secret, prefix + rest))) return { refused: 'WRONG' };
  return { grant: rest };
}

/** Path and query of the URL that carries the grant. */
export function signGrant(secret: string, { key, expires, inline, name }: Grant): string {
  const query = new URLSearchParams({ expires: String(expires) });
  if (inline) query.set('inline', 'true');
  if (name !== undefined) query.set('name', name);
  return signPath(secret, `/files/${key}?${query}`);
}

/** The grant that a request's path and query carry, or why there is none. */
export function verifyGrant(secret: string, pathAndQuery: string, now: Date = new Date()): Verdict {
  const verdict = verifyPath(secret, pathAndQuery, now);
  if ('refused' in verdict) return verdict;
  const { expires, url: { pathname, searchParams } } = verdict.grant;
  const inline = searchParams.get('inline') === 'true';
  return { grant: { key: pathname.slice('/files/'.length), expires, inline, name: searchParams.get('name') ?? undefined } };
}

/** Path and query of the URL under which bytes for a key may be PUT. No such URL can be used to GET. */
export function signPut(secret: string, key: string, expiresAt: Date): string {
  return signPath(secret, `/put/${key}?expires=${Math.floor(expiresAt.getTime() / 1000)}`);
}

/** The key that a request to PUT bytes is signed for, or why it is not. */
export function verifyPut(secret: string, pathAndQuery: string, now: Date = new Date()): Verdict<{ key: string }> {
  const verdict = verifyPath(secret, pathAndQuery, now);
  return 'refused' in verdict ? verdict : { grant: { key: verdict.grant.url.pathname.slice('/put/'.length) } };
}

/**
 * When a URL asked for now should expire: at least as long as asked, at most a quarter longer, and the same moment for
 * everyone who asks within the same few minutes, so that the same object has the same URL and browser caches work.
 */
export function expiryOf(expiresInSeconds: number, now: Date = new Date(), longestWindowSeconds = 300): number {
  const windowSeconds = Math.min(longestWindowSeconds, Math.max(1, Math.floor(expiresInSeconds / 4)));
  return Math.ceil((now.getTime() / 1000 + expiresInSeconds) / windowSeconds) * windowSeconds;
}

/** The secret that signs URLs: the one given, else one that is made once and kept in `dataDir`, the same for every process there. */
export async function readSigningSecret(dataDir: string, given?: string): Promise<string> {
  if (given) return given;
  const path = join(dataDir, 'signing-secret');
  const kept = (await read(path)) ?? (await make(path));
  if (!/^[0-9a-f]{64}$/.test(kept)) throw new Error(`Expected 64 hexadecimal digits in ${path} but received ${kept.length} characters; delete the file to have a new secret made, which ends every signed URL`);
  return kept;
}

async function read(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
}

/** `link` publishes the whole file or nothing, and fails for all but the first of several processes that start at once. */
async function make(path: string): Promise<string> {
  await mkdir(join(path, '..'), { recursive: true });
  const temporary = `${path}.${randomUUID()}`;
  try {
    await using file = await open(temporary, 'wx', 0o600);
    await file.writeFile(randomBytes(32).toString('hex'));
    await file.sync();
    await link(temporary, path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(temporary, { force: true });
  }
  return readFile(path, 'utf8');
}

function isSame(given: string, expected: string): boolean {
  const [one, other] = [Buffer.from(given), Buffer.from(expected)];
  return one.length === other.length && timingSafeEqual(one, other);
}

function mac(secret: string, text: string): string {
  return createHmac('sha256', secret).update(text).digest('base64url');
}
