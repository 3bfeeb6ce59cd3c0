import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Client, type ClientOptions } from 'minio';
import type { Log } from '../log.ts';
import { attachment, isOriginal, isPicture } from './disposition.ts';
import { impatientTransport, patience as defaultPatience, tryAgain, type Patience } from './exchange.ts';
import { createSlots, partsOf } from './parts.ts';
import { codeOf, isPassing, isRefusal, reasonOf } from './s3-faults.ts';
import { expiryOf } from './signature.ts';
import { checkInfo, checkKey, isKey, ObjectMissing, StorageUnavailable, type ObjectInfo, type Storage } from './storage.ts';

export interface S3Settings {
  endpoint: string;
  /** The origin in signed URLs, where clients reach the store by another name than we do. */
  publicEndpoint: string;
  region: string;
  bucket: string;
  accessKey: string;
  secretKey: string;
  pathStyle: boolean;
  encryption: 'none' | 'AES256';
}

/** A signature needs the hash of what it signs, and another try needs the bytes again: so much of a body is in memory, of this many bodies at a time. */
const partBytes = 8 * 1024 * 1024;
const partsAtATime = 8;

/** An upload in parts that is older than this was left by a crash. */
const abandonedMs = 24 * 3_600_000;
/** The store refuses signatures that last longer. */
const maxLifeSeconds = 7 * 24 * 3600;
/** No key that we make, so no list shows it. */
const probeKey = '.darkroom-probe';

/** Objects in a bucket of any store that speaks S3. Opening it proves that the bucket can be written to, and says what helps where it cannot. */
export async function s3Storage(settings: S3Settings, log: Log, patience: Patience = defaultPatience): Promise<Storage> {
  const { bucket, endpoint, encryption } = settings;
  const secure = new URL(endpoint).protocol === 'https:';
  const agent = new (secure ? https : http).Agent({ keepAlive: true });
  const client = new Client({ ...clientOptions(settings, endpoint), transport: impatientTransport(secure, patience), transportAgent: agent, retryOptions: { disableRetry: true } });
  const signer = new Client(clientOptions(settings, settings.publicEndpoint));
  const slot = createSlots(partsAtATime);
  const where = `The bucket ${bucket} at ${endpoint}`;

  /** Everything that is asked of the store may be asked twice. */
  async function ask<Result>(exchange: () => Promise<Result>, key?: string): Promise<Result> {
    try {
      return await tryAgain(exchange, isPassing, patience);
    } catch (error) {
      const code = codeOf(error);
      if (key !== undefined && (code === 'NoSuchKey' || code === 'NotFound')) throw new ObjectMissing(key);
      if (code === 'ENOSPC' || code === 'EDQUOT') throw error; // our own disk, at a download
      // The client's error for a refusal carries the signature and what was signed; all that helps is in the reason.
      throw new StorageUnavailable(`${where} is not available: ${reasonOf(error)}`, isRefusal(error) ? {} : { cause: error });
    }
  }

  async function find(key: string) {
    return ask(() => client.statObject(bucket, key), key).catch((error: unknown) => {
      if (error instanceof ObjectMissing) return null;
      throw error;
    });
  }

  /** An ETag is the MD5 of the bytes, except where the store encrypts with keys of its own: then the size must do. */
  async function verify(key: string, etag: string, expected: string, byteSize: number): Promise<void> {
    if (etag === expected) return;
    const kept = (await find(key))?.size;
    if (kept === byteSize) return;
    await remove([key]);
    throw new StorageUnavailable(`${where} is not available: it was given ${byteSize} bytes for ${key} and kept ${kept ?? 'none'}`);
  }

  async function putInParts(key: string, parts: AsyncGenerator<Buffer>, headers: Record<string, string>): Promise<{ etag: string; expected: string }> {
    const upload = String(await ask(() => client.initiateNewMultipartUpload(bucket, key, headers)));
    // The client escapes the id in one of its three calls only.
    const uploadID = encodeURIComponent(upload);
    try {
      const sums: Buffer[] = [];
      const etags: { part: number; etag: string }[] = [];
      const putNext = async () => {
        const { value: bytes, done } = await parts.next();
        if (done) return false;
        const sum = createHash('md5').update(bytes).digest();
        const partNumber = sums.push(sum);
        const part = { bucketName: bucket, objectName: key, uploadID, partNumber, headers: { 'Content-MD5': sum.toString('base64') } };
        const { etag } = await ask(() => client.uploadPart(part, bytes));
        etags.push({ part: partNumber, etag });
        return true;
      };
      while (await slot(putNext));

      let asked = false;
      const complete = async () => {
        try {
          return (await client.completeMultipartUpload(bucket, key, upload, etags)).etag;
        } catch (error) {
          // The first time worked, and its answer was lost.
          if (asked && codeOf(error) === 'NoSuchUpload') return '';
          asked = true;
          throw error;
        }
      };
      return { etag: await ask(complete), expected: `${createHash('md5').update(Buffer.concat(sums)).digest('hex')}-${sums.length}` };
    } catch (error) {
      await ask(() => client.abortMultipartUpload(bucket, key, uploadID)).catch((cause: unknown) => {
        log.warn({ err: cause, key }, 'An upload in parts could not be taken back; a start after a day does it');
      });
      throw error;
    }
  }

  async function remove(keys: string[]): Promise<void> {
    await ask(async () => {
      const faults: unknown[] = await client.removeObjects(bucket, keys);
      const fault = faults.find((found) => codeOf(found) !== 'NoSuchKey');
      if (fault !== undefined) throw fault;
    });
  }

  async function check(): Promise<void> {
    const headers = encryption === 'none' ? {} : { 'X-Amz-Server-Side-Encryption': encryption };
    await ask(() => client.putObject(bucket, probeKey, Buffer.from('Darkroom can write here.'), undefined, headers));
    if (encryption === 'none') return;
    const { metaData } = await ask(() => client.statObject(bucket, probeKey));
    const kept: unknown = metaData['x-amz-server-side-encryption'];
    if (kept !== encryption) throw new StorageUnavailable(`${where} is not available: it was asked to encrypt (S3_ENCRYPTION=${encryption}) but did not; set S3_ENCRYPTION=none where the store cannot, or encrypts by itself`);
  }

  async function removeAbandoned(): Promise<void> {
    const { uploads } = await ask(() => client.listIncompleteUploadsQuery(bucket, '', '', '', ''));
    for (const { key, uploadId, initiated } of uploads) {
      if (Date.now() - initiated.getTime() > abandonedMs) await ask(() => client.abortMultipartUpload(bucket, key, encodeURIComponent(uploadId)));
    }
  }

  await check().catch((error: unknown) => {
    agent.destroy();
    throw error;
  });
  await removeAbandoned().catch((error: unknown) => log.warn({ err: error }, 'Uploads in parts that a crash has left could not be removed'));

  async function put(key: string, body: Readable | Uint8Array, info: ObjectInfo): Promise<void> {
    const { byteSize, contentType } = checkInfo(info);
    const parts = partsOf(body, byteSize, partBytes, checkKey(key));
    const headers = {
      'Content-Type': contentType,
      'Content-Disposition': isOriginal(key) || !isPicture(contentType) ? 'attachment' : 'inline',
      ...(encryption !== 'none' && { 'X-Amz-Server-Side-Encryption': encryption }),
    };
    const putWhole = async () => {
      const bytes = (await parts.next()).value as Buffer;
      const { etag } = await ask(() => client.putObject(bucket, key, bytes, bytes.length, headers));
      return { etag, expected: createHash('md5').update(bytes).digest('hex') };
    };
    // It may break before its turn comes, when nobody reads it yet; whoever reads it then is told.
    if (body instanceof Readable) body.on('error', () => undefined);
    try {
      const { etag, expected } = byteSize > partBytes ? await putInParts(key, parts, headers) : await slot(putWhole);
      await verify(key, etag, expected, byteSize);
    } finally {
      if (body instanceof Readable) body.destroy();
    }
  }

  return {
    put,
    upload: (key, path, info) => put(key, createReadStream(path), info),

    async get(key, range) {
      checkKey(key);
      if (!range) return ask(() => client.getObject(bucket, key), key);
      const bytes = await ask(() => client.getPartialObject(bucket, key, range.start, range.end - range.start + 1), key);
      if (!(bytes instanceof http.IncomingMessage) || bytes.statusCode === 206) return bytes;
      bytes.destroy();
      throw new StorageUnavailable(`${where} is not available: it was asked for a part of ${key} and sent the whole`);
    },

    async download(key, path) {
      checkKey(key);
      await (await open(path, 'wx')).close();
      const fetchWhole = async () => pipeline(await client.getObject(bucket, key), createWriteStream(path));
      await ask(fetchWhole, key).catch(async (error: unknown) => {
        await rm(path, { force: true });
        throw error;
      });
    },

    async stat(key) {
      const found = await find(checkKey(key));
      return found && { byteSize: found.size, contentType: String(found.metaData['content-type']) };
    },

    async delete(keys) {
      if (keys.length > 0) await remove(keys.map(checkKey));
    },

    async *list(prefix) {
      for (let token = '', more = true; more; more = token !== '') {
        const page = await ask(() => client.listObjectsV2Query(bucket, prefix, token, '', 1000, ''));
        // What we never make is somebody else's.
        for (const { name } of page.objects) if (isKey(String(name))) yield String(name);
        token = page.isTruncated ? String(page.nextContinuationToken) : '';
      }
    },

    async signedUrl(key, { expiresInSeconds, downloadAs }) {
      checkKey(key);
      // Signed as if in the past, so that the URL stays the same for a while; the longest lives leave no room for that.
      const lifeSeconds = Math.min(Math.ceil(expiresInSeconds * 1.25), maxLifeSeconds);
      const signedAt = Math.min(expiryOf(expiresInSeconds) - lifeSeconds, Math.ceil(Date.now() / 1000));
      // A stored "inline" holds for what is no original; every other answer is an attachment, and says so itself.
      const disposition = downloadAs !== undefined ? attachment(downloadAs) : isOriginal(key) ? 'attachment' : undefined;
      const answer = { 'response-cache-control': `private, max-age=${expiresInSeconds}, immutable`, ...(disposition && { 'response-content-disposition': disposition }) };
      return signer.presignedGetObject(bucket, key, lifeSeconds, answer, new Date(signedAt * 1000));
    },

    async signedPut(key, expiresAt) {
      const lifeSeconds = Math.min(Math.max(1, Math.floor((expiresAt.getTime() - Date.now()) / 1000)), maxLifeSeconds);
      return signer.presignedPutObject(bucket, checkKey(key), lifeSeconds);
    },

    check,

    async close() {
      agent.destroy();
    },
  };
}

function clientOptions({ region, accessKey, secretKey, pathStyle }: S3Settings, origin: string): ClientOptions {
  const { protocol, hostname, port } = new URL(origin);
  return { endPoint: hostname.replace(/^\[|\]$/g, ''), port: Number(port), useSSL: protocol === 'https:', region, accessKey, secretKey, pathStyle };
}
