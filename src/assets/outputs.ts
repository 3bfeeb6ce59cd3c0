import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import type { Viewer } from '../access/viewer.ts';
import type { App } from '../app.ts';
import { imageLimits } from '../compute/limits.ts';
import { Prisma, type Asset, type AssetKind } from '../database/generated/client.ts';
import { ProviderError, UserError } from '../errors.ts';
import { imageFacts } from './image-facts.ts';
import { writeWords } from './words.ts';

/** A file that a provider made, and that becomes an asset of the job's owner. */
export interface OutputFile {
  path: string;
  filename: string;
  /** Left out for a picture, whose type its bytes say. */
  type?: { kind: Exclude<AssetKind, 'IMAGE'>; contentType: string };
  /** See `details.ts`. */
  details?: Prisma.InputJsonObject;
}

/** An output whose bytes are in the storage and whose row is not there yet. */
export type StoredOutput = Omit<Prisma.AssetUncheckedCreateInput, 'ownerId' | 'producedById' | 'position'>;

const inspectTimeoutMs = 20_000;

/** Bytes first: puts what a job made into the storage. What a crash leaves behind here has no row, and the sweep removes it. */
export async function storeOutput(app: App, { path, filename, type, details }: OutputFile, signal: AbortSignal): Promise<StoredOutput> {
  const id = randomUUID();
  const storageKey = `processed/${id}`;
  const facts = type ?? (await inspectOutput(app, path, signal));
  const { size: byteSize } = await stat(path);
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  await app.storage.upload(storageKey, path, { byteSize, contentType: facts.contentType });
  return { id, storageKey, filename, byteSize, sha256: hash.digest('hex'), ...facts, ...(details && { details }) };
}

async function inspectOutput({ compute, config }: App, path: string, signal: AbortSignal) {
  // The limits are for what strangers send: an output may be smaller than an upload.
  const { output } = await compute.run('inspect', { path, limits: { ...imageLimits(config), minSide: 1 } }, { timeoutMs: inspectTimeoutMs, signal }).catch((error: unknown) => {
    // These checks blame whoever sent the file, and here that is the provider.
    throw error instanceof UserError ? new ProviderError('PROVIDER_ERROR', `Expected the provider to make a picture but received something else: ${error.message}`, { retryable: true, cause: error }) : error;
  });
  const { exif, ...facts } = imageFacts(output, { keepLocation: false });
  return { ...facts, exif: exif ?? Prisma.DbNull };
}

/** Then the row. It may be asked twice, after a commit whose answer was lost. */
export async function publishOutput(tx: Prisma.TransactionClient, job: { id: string; ownerId: string }, position: number, output: StoredOutput): Promise<void> {
  const asset = await tx.asset.upsert({ where: { id: output.id }, create: { ...output, ownerId: job.ownerId, producedById: job.id, position }, update: {} });
  await writeWords(tx, { assetId: asset.id, ...asset, tags: [], facts: {} });
}

/** The assets that a job's result names. */
export function outputIdsOf(result: unknown): string[] {
  const { outputs = [] } = (result ?? {}) as { outputs?: string[] };
  return outputs;
}

/** What a job made and is still there, in its order; for one that was answered from the cache, what the same work made before it. */
export async function findOutputs({ db }: Pick<App, 'db'>, viewer: Viewer, job: { id: string; result: unknown }): Promise<Asset[]> {
  const ids = outputIdsOf(job.result);
  if (ids.length === 0) return db.asset.findMany({ where: { producedById: job.id, ownerId: viewer.id }, orderBy: { position: 'asc' } });
  const assets = await db.asset.findMany({ where: { id: { in: ids }, ownerId: viewer.id } });
  return ids.flatMap((id) => assets.find((asset) => asset.id === id) ?? []);
}
