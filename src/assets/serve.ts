import { createHash } from 'node:crypto';
import type { Log } from '../log.ts';
import { attachment, isPicture } from '../storage/disposition.ts';
import { verifyGrant } from '../storage/signature.ts';
import { ObjectMissing, type Storage } from '../storage/storage.ts';
import { signedRoute, whileGranted } from './signed-route.ts';

/** Hands out stored files under `/files/` to whoever holds a signed URL. */
export function serveFiles({ storage, log }: { storage: Storage; log: Log }, secret: string) {
  return signedRoute({
    prefix: '/files/',
    log,
    verify: (pathAndQuery) => verifyGrant(secret, pathAndQuery),
    async find({ key, inline, name, expires }) {
      const info = await storage.stat(key);
      if (!info) throw new ObjectMissing(key);
      return {
        etag: identityOf(key),
        cacheControl: whileGranted(expires),
        open: async () => ({
          byteSize: info.byteSize,
          headers: {
            'Content-Type': info.contentType,
            'Content-Disposition': inline && isPicture(info.contentType) ? 'inline' : name === undefined ? 'attachment' : attachment(name),
          },
          read: (range) => storage.get(key, range),
        }),
      };
    },
  });
}

/** The ETag of what a name is never given to other bytes of, such as a key. */
export function identityOf(name: string): string {
  return `"${createHash('sha256').update(name).digest('base64url').slice(0, 22)}"`;
}
