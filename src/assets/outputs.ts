import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import type { App } from '../app.ts';
import { imageLimits } from '../compute/limits.ts';
import type { Prisma } from '../database/generated/client.ts';
import { imageFacts } from './image-facts.ts';
import { indexWords } from './words.ts';

/** A picture that a provider made; it becomes an image of the job's owner when the job completes. */
export interface OutputFile {
  path: string;
  filename: string;
}

/** An output whose bytes are in the storage and whose row is not there yet. */
export type StoredOutput = Omit<Prisma.AssetUncheckedCreateInput, 'ownerId' | 'producedById'>;

const inspectTimeoutMs = 20_000;

/** Bytes first: puts what a job made into the storage. What a crash leaves behind here has no row, and the sweep removes it. */
export async function storeOutputs({ storage, compute, config }: App, files: readonly OutputFile[], signal: AbortSignal): Promise<StoredOutput[]> {
  const stored: StoredOutput[] = [];
  for (const { path, filename } of files) {
    const id = randomUUID();
    const storageKey = `processed/${id}`;
    // The limits are for what strangers send: an output may be smaller than an upload.
    const { output: inspection } = await compute.run('inspect', { path, limits: { ...imageLimits(config), minSide: 1 } }, { timeoutMs: inspectTimeoutMs, signal });
    const { size: byteSize } = await stat(path);
    const hash = createHash('sha256');
    await pipeline(createReadStream(path), hash);
    await storage.put(storageKey, createReadStream(path), { byteSize, contentType: inspection.contentType });
    stored.push({ id, storageKey, filename, byteSize, sha256: hash.digest('hex'), ...imageFacts(inspection, { keepLocation: false }) });
  }
  return stored;
}

/** Then the rows, in the transaction that completes the job. */
export async function publishOutputs(tx: Prisma.TransactionClient, job: { id: string; ownerId: string }, outputs: readonly StoredOutput[]): Promise<void> {
  for (const output of outputs) {
    await tx.asset.create({ data: { ...output, ownerId: job.ownerId, producedById: job.id } });
    await indexWords(tx, output.id);
  }
}

/** The assets that a job's result names. */
export function outputIdsOf(result: unknown): string[] {
  const { outputs = [] } = (result ?? {}) as { outputs?: string[] };
  return outputs;
}
