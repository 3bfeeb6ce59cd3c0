import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { DataStore, MemoryLocker, Server, Upload } from '@tus/server';
import { mustAllow, type Viewer } from '../access/viewer.ts';
import type { App } from '../app.ts';
import { isUnreachable } from '../database/retry.ts';
import { challenge, UserError } from '../errors.ts';
import { StorageUnavailable } from '../storage/storage.ts';
import { findPieces, pieceKey, removeStaged } from './staging.ts';

/** Where uploads that can be broken off and resumed are sent: this, and the upload's id. */
export const resumablePath = '/uploads/resumable';

/** So many bytes of a running request are in memory; what came before them outlives this process. */
const pieceBytes = 1_000_000;

/** Beside whole pieces: each request, and each break, leaves one that is smaller. Who sends byte by byte would have us list and fetch millions. */
const maxSmallPieces = 1_000;

/**
 * Uploads over tus (https://tus.io/protocols/resumable-upload, core with expiration and termination). They are opened with `createUploads`
 * and completed with `completeUploads`, like all others. Several API machines need not know each other: each piece is an object, and how
 * far an upload came is what lies in the store. `identify` throws for a request without a good credential, and for one too many.
 */
export function openResumable(app: Pick<App, 'config' | 'db' | 'storage' | 'log'>, identify: (request: IncomingMessage) => Promise<Viewer>) {
  const { config, db, log } = app;
  const server = new Server({
    path: resumablePath,
    datastore: new Pieces(app),
    locker: new MemoryLocker(),
    maxSize: config.UPLOAD_MAX_BYTES,
    // The front door has said already which pages may come.
    allowedOrigins: () => false,
    exposedHeaders: ['X-Request-Id', 'Upload-Expires'],
    onResponseError: (_request, error) => ('status_code' in error ? undefined : fault(error)),
  });

  /** Its viewer's, and open. The address names it whole: no other part of it may reach the tus server. */
  async function check(request: IncomingMessage): Promise<void> {
    const viewer = await identify(request);
    mustAllow(viewer, ['images:write']);
    if (request.method === 'POST') throw new UserError('NOT_FOUND', 'Expected an upload that was opened with the mutation createUploads: it answers with the URL to send to.');
    const id = /^\/([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})$/.exec(request.url!.slice(resumablePath.length))?.[1];
    const upload = id === undefined ? null : await db.upload.findFirst({ where: { id, ownerId: viewer.id } });
    if (!upload) throw new UserError('NOT_FOUND', 'There is no upload of this viewer at this address.');
    if (upload.status !== 'OPEN') throw new UserError('UPLOAD_EXPIRED', 'This upload is completed or refused.');
  }

  function fault(error: Error): { status_code: number; body: string; headers?: object } {
    if (error instanceof UserError) {
      const { retryAfterSeconds } = error.extensions;
      return { status_code: statuses[error.code] ?? 400, body: `${error.message}\n`, headers: retryAfterSeconds === undefined ? {} : { 'Retry-After': retryAfterSeconds } };
    }
    log.error({ err: error }, 'A resumable upload met an unexpected error');
    return { status_code: isUnreachable(error) || error instanceof StorageUnavailable ? 503 : 500, body: 'Something went wrong on our side. Try again later.\n' };
  }

  return async (request: IncomingMessage, response: ServerResponse): Promise<boolean> => {
    if (!request.url?.startsWith(resumablePath)) return false;
    const refused = await check(request).then(() => null, fault);
    if (refused) response.writeHead(refused.status_code, { ...(refused.status_code === 401 && challenge), 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store', ...refused.headers }).end(refused.body);
    else await server.handle(request, response);
    return true;
  };
}

const statuses = { UNAUTHENTICATED: 401, FORBIDDEN: 403, NOT_FOUND: 404, UPLOAD_EXPIRED: 410, RATE_LIMITED: 429 } as Record<string, number>;

/** The store of tus over our own: one for disk and S3, and no second S3 client. */
class Pieces extends DataStore {
  readonly #app: Pick<App, 'config' | 'db' | 'storage'>;
  override extensions = ['expiration', 'termination'];

  constructor(app: Pick<App, 'config' | 'db' | 'storage'>) {
    super();
    this.#app = app;
  }

  override async getUpload(id: string): Promise<Upload> {
    const { db, storage } = this.#app;
    const [{ byteSize, expiresAt }, arrived] = await Promise.all([db.upload.findUniqueOrThrow({ where: { id } }), findPieces(storage, id)]);
    const most = maxSmallPieces + Math.ceil(byteSize / pieceBytes);
    if (arrived.keys.length >= most && arrived.byteSize < byteSize) throw new UserError('INVALID_INPUT', `Expected at most ${most} pieces for ${byteSize} bytes but ${arrived.keys.length} have brought ${arrived.byteSize} of them. Delete the upload and send it again in larger pieces.`);
    return new Upload({ id, size: byteSize, offset: arrived.byteSize, creation_date: new Date(expiresAt.getTime() - this.getExpiration()).toISOString() });
  }

  override async write(body: Readable, id: string, offset: number): Promise<number> {
    let held: Buffer[] = [];
    let [start, end] = [offset, offset];
    const keep = async () => {
      if (end === start) return;
      const bytes = Buffer.concat(held);
      await this.#app.storage.put(pieceKey(id, start, end), bytes, { byteSize: bytes.length, contentType: 'application/octet-stream' });
      [held, start] = [[], end];
    };
    try {
      for await (const chunk of body as AsyncIterable<Buffer>) {
        held.push(chunk);
        end += chunk.length;
        if (end - start >= pieceBytes) await keep();
      }
    } finally {
      // Also of a line that broke: what came need not come again.
      await keep();
    }
    return end;
  }

  override async remove(id: string): Promise<void> {
    await removeStaged(this.#app.storage, id);
  }

  override getExpiration(): number {
    return this.#app.config.UPLOAD_LIFETIME;
  }
}
