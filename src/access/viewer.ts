import { UserError } from '../errors.ts';
import { allScopes, withIncluded, type Scope } from './scopes.ts';

/** Who is asking. Every row belongs to one, and every lookup carries its id. */
export interface Viewer {
  id: string;
  /** What the viewer came with. */
  kind: 'LOCAL' | 'USER' | 'API_KEY';
  role: 'VIEWER' | 'ADMIN';
  /** What this credential allows, with everything that is included. */
  scopes: ReadonlySet<Scope>;
  /** Tells the credentials of one viewer apart: "local", "token", "key:" and the id of an API key, or "static:" and the name of one of the settings. Never a secret. */
  credential: string;
  /** When the credential runs out, and with it every subscription opened with it. */
  expiresAt?: Date;
}

const ordinaryScopes = withIncluded(allScopes.filter((scope) => scope !== 'admin'));

/** A person with a token. It allows everything that is the viewer's own, and an admin everything. */
export const tokenViewer = (id: string, { isAdmin = false, expiresAt }: { isAdmin?: boolean; expiresAt?: Date } = {}): Viewer => ({
  id,
  kind: 'USER',
  role: isAdmin ? 'ADMIN' : 'VIEWER',
  scopes: isAdmin ? withIncluded(['admin']) : ordinaryScopes,
  credential: 'token',
  expiresAt,
});

/** A program with an API key, on behalf of the viewer `id`. */
export function keyViewer(id: string, credential: string, granted: Iterable<Scope>, expiresAt?: Date): Viewer {
  const scopes = withIncluded(granted);
  return { id, kind: 'API_KEY', role: scopes.has('admin') ? 'ADMIN' : 'VIEWER', scopes, credential, expiresAt };
}

/** The one viewer of a server that asks for no credential; such a server listens on loopback only. */
export const localViewer: Viewer = { id: 'local', kind: 'LOCAL', role: 'ADMIN', scopes: withIncluded(['admin']), credential: 'local' };

/** Throws FORBIDDEN, naming what is missing, unless the viewer's credential allows all of it. */
export function mustAllow(viewer: Viewer, needed: Iterable<Scope>): void {
  const missing = [...needed].filter((scope) => !viewer.scopes.has(scope));
  if (missing.length === 0) return;
  throw new UserError('FORBIDDEN', `Expected a credential that allows ${missing.join(' and ')} but received one that allows ${[...viewer.scopes].join(', ') || 'nothing'}`, {
    hint: missing.includes('admin') ? 'Only an admin may do this' : 'Ask with a key that has this scope, or leave out the fields that need it',
  });
}
