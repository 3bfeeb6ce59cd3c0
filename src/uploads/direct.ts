import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline, Transform } from 'node:stream';
import type { App } from '../app.ts';
import { isUnreachable } from '../database/retry.ts';
import type { Upload } from '../database/generated/client.ts';
import { UserError } from '../errors.ts';
import { verifyPut } from '../storage/signature.ts';

const prefix = '/put/';
const statuses = { UPLOAD_EXPIRED: 410, NOT_FOUND: 404, TOO_LARGE: 413, CHECKSUM_MISMATCH: 422 } as Record<string, number>;

/** Takes the bytes of uploads whose files are on this disk, from whoever holds the signed URL. What is not what was announced is not kept. */
export function receiveDirect({ db, storage, log }: Pick<App, 'db' | 'storage' | 'log'>, secret: string) {
  async function receive(request: IncomingMessage): Promise<void> {
    const verdict = verifyPut(secret, request.url ?? '');
    if ('refused' in verdict) throw verdict.refused === 'EXPIRED' ? new UserError('UPLOAD_EXPIRED', 'This link has expired. Open a new upload.') : new UserError('FORBIDDEN', 'This link is not valid: it was not made by this server or was changed on the way.');
    const { key } = verdict.grant;
    const upload = await db.upload.findUnique({ where: { id: key.slice('uploads/'.length) } });
    if (upload?.status !== 'OPEN') throw new UserError('NOT_FOUND', 'This upload is completed, refused or no longer known.');
    const length = request.headers['content-length'];
    if (length !== undefined && Number(length) !== upload.byteSize) throw new UserError(Number(length) > upload.byteSize ? 'TOO_LARGE' : 'CHECKSUM_MISMATCH', `Expected the ${upload.byteSize} bytes that were announced but received ${length}.`);
    // The callback form hands a broken line on to the checked stream, whose reader tells of it.
    const body = pipeline(request, checked(upload), () => undefined);
    await storage.put(key, body, { byteSize: upload.byteSize, contentType: 'application/octet-stream' });
  }

  return async (request: IncomingMessage, response: ServerResponse): Promise<boolean> => {
    if (!request.url?.startsWith(prefix)) return false;
    const say = (status: number, sentence: string, headers = {}) => void response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store', ...headers }).end(`${sentence}\n`);
    if (request.method !== 'PUT') {
      say(405, `Expected PUT for an upload but received ${request.method}.`, { Allow: 'PUT, OPTIONS' });
      return true;
    }
    try {
      await receive(request);
      response.writeHead(204).end();
    } catch (error) {
      if (error instanceof UserError) say(statuses[error.code] ?? 403, error.message);
      else if (request.destroyed && !request.complete) response.destroy(); // who went away comes again
      else {
        log.error({ err: error }, 'An upload could not be taken');
        say(isUnreachable(error) ? 503 : 500, 'Something went wrong on our side. Try again later.');
      }
    }
    return true;
  };
}

/** Lets through exactly the announced bytes; fails at the first too many, or at the end when they are others. */
function checked({ byteSize, sha256 }: Upload): Transform {
  const hash = createHash('sha256');
  let received = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      received += chunk.length;
      hash.update(chunk);
      if (received > byteSize) done(new UserError('TOO_LARGE', `Expected the ${byteSize} bytes that were announced but received more.`));
      else done(null, chunk);
    },
    flush(done) {
      const digest = hash.digest('hex');
      if (received < byteSize) done(new UserError('CHECKSUM_MISMATCH', `Expected the ${byteSize} bytes that were announced but received ${received}.`));
      else if (sha256 && digest !== sha256) done(new UserError('CHECKSUM_MISMATCH', `Expected bytes with the SHA-256 ${sha256} but received ${digest}.`));
      else done();
    },
  });
}
