import { createHash } from 'node:crypto';
import type { Log } from '../log.ts';
import { attachment, isPicture } from '../storage/disposition.ts';
import { verifyGrant } from '../storage/signature.ts';
import { ObjectMissing, type Storage } from '../storage/storage.ts';
import { signedRoute, whileGranted } from './signed-route.ts';

/** Hands out stored files under `/files/` to whoever holds a signed URL. */
export function serveFiles({ storage, secret, log }: { storage: Storage; secret: string; log: Log }) {
  return signedRoute({
    prefix: '/files/',
    log,
    verify: (pathAndQuery) => verifyGrant(secret, pathAndQuery),
    async find({ key, inline, name, expires }) {
      const info = await storage.stat(key);
      if (!info) throw new ObjectMissing(key);
      return {
        // A key is never given to other bytes, so it is the identity of the bytes.
        etag: `"${createHash('sha256').update(key).digest('base64url').slice(0, 22)}"`,
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
