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

export type Verdict = { grant: Grant } | { refused: 'WRONG' | 'EXPIRED' };

const separator = '&signature=';

/** Path and query of the URL that carries the grant. The signature covers every character before it, so nothing can be changed or added. */
export function signGrant(secret: string, { key, expires, inline, name }: Grant): string {
  const query = new URLSearchParams({ expires: String(expires) });
  if (inline) query.set('inline', 'true');
  if (name !== undefined) query.set('name', name);
  const text = `/files/${key}?${query}`;
  return `${text}${separator}${mac(secret, text)}`;
}

/** The grant that a request's path and query carry, or why there is none. */
export function verifyGrant(secret: string, pathAndQuery: string, now: Date = new Date()): Verdict {
  const cut = pathAndQuery.lastIndexOf(separator);
  const text = pathAndQuery.slice(0, Math.max(cut, 0));
  const expected = Buffer.from(mac(secret, text));
  const given = Buffer.from(pathAndQuery.slice(cut + separator.length));
  if (cut < 0 || given.length !== expected.length || !timingSafeEqual(given, expected)) return { refused: 'WRONG' };

  const { pathname, searchParams } = new URL(text, 'http://files');
  const expires = Number(searchParams.get('expires'));
  if (expires * 1000 <= now.getTime()) return { refused: 'EXPIRED' };
  const inline = searchParams.get('inline') === 'true';
  return { grant: { key: pathname.slice('/files/'.length), expires, inline, name: searchParams.get('name') ?? undefined } };
}

/**
 * When a URL asked for now should expire: at least as long as asked, at most a quarter longer, and the same moment for
 * everyone who asks within a few minutes, so that the same object has the same URL and browser caches work.
 */
export function expiryOf(expiresInSeconds: number, now: Date = new Date()): number {
  const windowSeconds = Math.min(300, Math.max(1, Math.floor(expiresInSeconds / 4)));
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

function mac(secret: string, text: string): string {
  return createHmac('sha256', secret).update(text).digest('base64url');
}
