import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { App } from '../app.ts';
import type { ApiKey } from '../database/generated/client.ts';
import { UserError } from '../errors.ts';
import { withIncluded, type Scope } from './scopes.ts';
import type { Viewer } from './viewer.ts';
import { accessTopic } from './viewers.ts';

const maxKeys = 100;
const keyPattern = /^dr_([0-9a-f]{16})_([\w-]{32})$/;
const noHash = Buffer.alloc(32);

export const hashOf = (secret: string): Buffer => createHash('sha256').update(secret).digest();

/** Whether a credential wants to be one of our keys; whether it is one only `mustMatch` knows. */
export const isApiKey = (token: string): boolean => token.startsWith('dr_');

/** The id inside a key, by which its row is found. It is no secret. */
export const idOfKey = (token: string): string | undefined => keyPattern.exec(token)?.[1];

/** Throws UNAUTHENTICATED unless the token is the key of this row. Compares once and in constant time, also where there is no row: an id that exists answers as slowly as one that does not. */
export function mustMatch(token: string, key: ApiKey | null): asserts key is ApiKey {
  const isSame = timingSafeEqual(hashOf(keyPattern.exec(token)?.[2] ?? token), key ? Buffer.from(key.secretHash, 'hex') : noHash);
  if (!key || !isSame) throw new UserError('UNAUTHENTICATED', 'There is no such API key. It was mistyped, or revoked');
  if (key.expiresAt && key.expiresAt.getTime() <= Date.now()) throw new UserError('UNAUTHENTICATED', `The API key "${key.name}" has expired`, { hint: 'Make a new one with createApiKey' });
}

export interface NewApiKey {
  name: string;
  scopes: readonly Scope[];
  expiresAt?: Date | null;
}

/** A key of the viewer and its secret, which nobody can tell again: only its hash is kept. It allows no more, and lives no longer, than a key that made it. */
export async function createApiKey({ db }: App, viewer: Viewer, { name, scopes, expiresAt }: NewApiKey): Promise<{ apiKey: ApiKey; secret: string }> {
  if (!/^(?!\s*$)[^\p{Cc}]{1,100}$/u.test(name)) throw new UserError('INVALID_INPUT', `Expected name to be 1 to 100 characters, none of them control characters and not all of them blanks, but received ${name.length > 100 ? name.length : JSON.stringify(name)}`);
  if (scopes.length === 0) throw new UserError('INVALID_INPUT', 'Expected at least one scope but received none');
  const beyond = [...withIncluded(scopes)].filter((scope) => !viewer.scopes.has(scope));
  if (beyond.length > 0) throw new UserError('FORBIDDEN', `Expected scopes that your own credential has but received ${beyond.join(', ')}`, { hint: `It has ${[...viewer.scopes].join(', ')}` });
  if (expiresAt && expiresAt.getTime() <= Date.now()) throw new UserError('INVALID_INPUT', `Expected expiresAt in the future but received ${expiresAt.toISOString()}`);
  const latest = viewer.kind === 'API_KEY' ? viewer.expiresAt : undefined;
  if (latest && expiresAt && expiresAt > latest) throw new UserError('FORBIDDEN', `Expected expiresAt of at most ${latest.toISOString()}, when the key that makes it expires, but received ${expiresAt.toISOString()}`);
  if ((await db.apiKey.count({ where: { ownerId: viewer.id } })) >= maxKeys) throw new UserError('QUOTA_EXCEEDED', `Expected at most ${maxKeys} API keys but there are as many already`, { hint: 'Revoke one that nobody uses' });

  const id = randomBytes(8).toString('hex');
  const secret = randomBytes(24).toString('base64url');
  const apiKey = await db.apiKey.create({
    data: { id, ownerId: viewer.id, name, scopes: [...new Set(scopes)], secretHash: hashOf(secret).toString('hex'), expiresAt: expiresAt ?? latest, madeWithId: keyIdOf(viewer) },
  });
  return { apiKey, secret: `dr_${id}_${secret}` };
}

/** Ends a key at once, with the keys that were made with it and everything that is open with one of them. */
export async function revokeApiKey({ db, events }: App, viewer: Viewer, id: string): Promise<ApiKey> {
  const key = await db.apiKey.findFirst({ where: { id, ownerId: viewer.id } });
  const { count } = await db.apiKey.deleteMany({ where: { id, ownerId: viewer.id } });
  if (!key || count === 0) throw new UserError('NOT_FOUND', 'There is no API key with this id');
  await events.publish(accessTopic);
  return key;
}

/** The id of the row behind a viewer's credential; null where that is no key of the database. */
export const keyIdOf = ({ credential }: Viewer): string | null => (credential.startsWith('key:') ? credential.slice('key:'.length) : null);
