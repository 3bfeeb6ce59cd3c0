/** Who is asking. Every row belongs to one, and every lookup carries its id. */
export interface Viewer {
  id: string;
  kind: 'LOCAL' | 'USER';
  /** When the credential runs out, and with it every subscription opened with it. */
  expiresAt?: Date;
}

/** The one viewer of a server without JWT_SECRET; such a server listens on loopback only. */
export const localViewer: Viewer = { id: 'local', kind: 'LOCAL' };
