import { timingSafeEqual } from 'node:crypto';
import type { App } from '../app.ts';
import { needsCredential } from '../config.ts';
import { UserError } from '../errors.ts';
import { hashOf, idOfKey, isApiKey, keyIdOf, mustMatch } from './api-keys.ts';
import { remembered } from './remembered.ts';
import type { Scope } from './scopes.ts';
import { createTokens } from './tokens.ts';
import { keyViewer, localViewer, type Viewer } from './viewer.ts';
import { accessTopic, seeViewer, suspension } from './viewers.ts';

/** A bell that was lost is made up for this soon. */
const pollMs = 60_000;

/** Who may come in, and who must go. */
export interface Access {
  /** The viewer behind an `Authorization` header, or the same word of `connectionParams`. Throws UNAUTHENTICATED, or FORBIDDEN for one who is suspended. */
  authenticate(authorization: string | undefined): Promise<Viewer>;
  /** Calls `end` with a sentence when the viewer's credential is revoked or the viewer suspended. Gives back what stops watching. */
  watch(viewer: Viewer, end: (reason: string) => void): () => void;
  close(): Promise<void>;
}

/** Opens the door. What it has looked up it believes for a minute, or until a bell rings. */
export async function openAccess(app: App): Promise<Access> {
  const { config, db, events, http, log } = app;
  const tokens = createTokens(config, http, log);
  const staticKeys = config.API_KEYS.map(({ secret, ...key }) => ({ ...key, hash: hashOf(secret) }));
  const standings = remembered((id) => seeViewer(app, id));
  const keys = remembered((id) => db.apiKey.findUnique({ where: { id } }));
  // A key that was revoked a moment ago is no fault here.
  const uses = remembered((id) => db.apiKey.updateMany({ where: { id }, data: { lastUsedAt: new Date() } }));
  const watched = new Map<object, { viewer: Viewer; end: (reason: string) => void }>();

  async function identify(authorization: string | undefined): Promise<Viewer> {
    const token = /^Bearer (\S+)$/i.exec(authorization ?? '')?.[1];
    if (!needsCredential(config) && !(token && isApiKey(token))) return localViewer;
    if (!token) throw new UserError('UNAUTHENTICATED', 'Expected the header "Authorization: Bearer <token or API key>"', { hint: 'Over WebSocket send it as connectionParams.authorization' });
    if (isApiKey(token)) return identifyKey(token);
    // All are compared, whichever fits: the time says nothing.
    const [known] = staticKeys.filter(({ hash }) => timingSafeEqual(hash, hashOf(token)));
    if (known) return keyViewer(known.name, `static:${known.name}`, known.scopes);
    if (tokens) return tokens(token);
    throw new UserError('UNAUTHENTICATED', 'There is no such API key');
  }

  async function identifyKey(token: string): Promise<Viewer> {
    const id = idOfKey(token);
    const key = id ? await keys.get(id) : null;
    mustMatch(token, key);
    await uses.get(key.id);
    return keyViewer(key.ownerId, `key:${key.id}`, key.scopes as Scope[], key.expiresAt ?? undefined);
  }

  async function authenticate(authorization: string | undefined): Promise<Viewer> {
    const viewer = await identify(authorization);
    const reason = await standings.get(viewer.id);
    if (reason !== null) throw suspension(reason);
    return viewer;
  }

  /** Two queries, however many are watched. */
  async function lookAgain(): Promise<void> {
    const all = [...watched.values()];
    if (all.length === 0) return;
    const viewerIds = new Set(all.map(({ viewer }) => viewer.id));
    const keyIds = new Set(all.flatMap(({ viewer }) => keyIdOf(viewer) ?? []));
    const [suspended, living] = await Promise.all([
      db.viewer.findMany({ where: { id: { in: [...viewerIds] }, suspendedAt: { not: null } } }),
      db.apiKey.findMany({ where: { id: { in: [...keyIds] } }, select: { id: true } }),
    ]);
    for (const { viewer, end } of all) {
      const keyId = keyIdOf(viewer);
      const row = suspended.find(({ id }) => id === viewer.id);
      if (row) end(suspension(row.suspendedReason ?? '').message);
      else if (keyId && !living.some(({ id }) => id === keyId)) end('The API key was revoked');
    }
  }
  const look = () => void lookAgain().catch((error: unknown) => log.warn({ err: error }, 'Whether open sockets may stay could not be looked up; it is tried again'));
  const onRing = () => {
    standings.forget();
    keys.forget();
    look();
  };
  const unsubscribe = await events.subscribe(accessTopic, onRing);
  const poll = setInterval(look, pollMs).unref();

  return {
    authenticate,
    watch(viewer, end) {
      const entry = {};
      watched.set(entry, { viewer, end });
      return () => void watched.delete(entry);
    },
    async close() {
      clearInterval(poll);
      await unsubscribe();
    },
  };
}
