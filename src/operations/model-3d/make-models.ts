import { parse } from 'node:path';
import { imageLimits } from '../../compute/limits.ts';
import type { MadeModel } from '../../compute/model-3d/make.ts';
import { ProviderError, UserError } from '../../errors.ts';
import type { InputFile, ProviderResult, Run } from '../define.ts';
import type { Parameters, PictureFailure, Result } from './parameters.ts';

/** A model whose files lie in the job's folder. */
export interface ModelFile extends MadeModel {
  shape: 'INFLATED' | 'RELIEF' | 'RECONSTRUCTED';
  peakMemoryBytes: number;
}

export interface Picture {
  image: InputFile;
  /** Its place among the inputs, from 0. */
  index: number;
  /** Of files that are made for this picture, without an extension. */
  name: string;
  progress(percent: number, stage: string): void;
}

/** The places of a picture's files among the outputs. The thumbnail comes first, because the model names it. */
const thumbnailPosition = (picture: number) => 2 * picture;
const modelPosition = (picture: number) => 2 * picture + 1;
export const pictureOf = (position: number) => Math.floor(position / 2);

/**
 * Makes a model of every picture, `atOnce` at a time, and publishes each when it is there. A picture that fails does not spoil the others; the job fails
 * when all do. What must not be taken for a fault of a picture (a stop, a cancel, an outage) ends the attempt, and the next one goes on from here.
 */
export async function makeModels(run: Run<Parameters>, atOnce: number, make: (picture: Picture) => Promise<ModelFile>): Promise<ProviderResult<Result>> {
  const { inputs, signal, published } = run;
  const percents = inputs.map(() => 0);
  const pictures: Result['pictures'] = [];
  const errors: unknown[] = [];
  let peakMemoryBytes = 0;
  const report = (index: number, percent: number, stage: string) => {
    percents[index] = percent;
    const done = percents.filter((one) => one === 100).length;
    run.progress(percents.reduce((sum, one) => sum + one, 0) / inputs.length, inputs.length === 1 ? stage : `${done} of ${inputs.length} done`);
  };

  async function one(image: InputFile, index: number): Promise<void> {
    try {
      const known = published.get(modelPosition(index));
      if (known) pictures[index] = { modelId: known };
      else {
        const file = await make({ image, index, name: `model-${index}`, progress: (percent, stage) => report(index, Math.min(99, percent), stage) });
        peakMemoryBytes = Math.max(peakMemoryBytes, file.peakMemoryBytes);
        pictures[index] = { modelId: await publishModel(run, image, index, file) };
      }
    } catch (error) {
      signal.throwIfAborted();
      const failure = faultOf(error);
      if (!failure) {
        waiting.length = 0;
        throw error;
      }
      pictures[index] = { failure };
      errors.push(error);
    }
    report(index, 100, 'done');
  }

  const waiting = [...inputs.entries()];
  const line = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) await one(next[1], next[0]);
  };
  // All of them have ended when this attempt ends: none writes into a folder that is gone.
  const lines = await Promise.allSettled(Array.from({ length: Math.min(atOnce, inputs.length) }, line));
  for (const ended of lines) if (ended.status === 'rejected') throw ended.reason;
  if (errors.length === inputs.length) throw noneOf(pictures, errors);
  return { result: { outputs: [], pictures }, ...(peakMemoryBytes > 0 && { peakMemoryBytes }) };
}

async function publishModel({ publish }: Run<Parameters>, image: InputFile, index: number, file: ModelFile): Promise<string> {
  const name = `${parse(image.filename).name}-3d`;
  const { thumbnailPath, modelPath, vertexCount, faceCount, shape } = file;
  const thumbnailId = thumbnailPath && (await publish(thumbnailPosition(index), { path: thumbnailPath, filename: `${name}.webp` }));
  return publish(modelPosition(index), {
    path: modelPath,
    filename: `${name}.glb`,
    type: { kind: 'MODEL_3D', contentType: 'model/gltf-binary' },
    details: { format: 'GLB', vertexCount, faceCount, shape, thumbnailId },
  });
}

/** What went wrong with one picture; null for what is no fault of it. */
function faultOf(error: unknown): PictureFailure | null {
  if (error instanceof ProviderError && error.deferMs === undefined) return { code: error.code, message: error.message, hint: error.hint ?? null, retryable: error.retryable };
  // An image that was accepted and cannot be decoded now was damaged, or the limits are tighter than they were.
  if (error instanceof UserError) return { code: 'CORRUPT', message: error.message, hint: error.hint ?? null, retryable: false };
  return null;
}

/** What is told of reasons: so many, each at most so long. */
const [mostReasons, reasonLength] = [5, 300];

/** One failure for all pictures: each reason once, with the places of its pictures. It is worth another try when one of them is. */
function noneOf(pictures: Result['pictures'], errors: unknown[]): unknown {
  if (errors.length === 1) return errors[0];
  const failures = pictures.flatMap((picture) => ('failure' in picture ? picture.failure : []));
  const places = new Map<string, number[]>();
  for (const [index, { message }] of failures.entries()) places.set(message, [...(places.get(message) ?? []), index]);
  const reasons = [...places].slice(0, mostReasons).map(([message, at]) => `${at.join(', ')}: ${message.slice(0, reasonLength)}`);
  if (places.size > mostReasons) reasons.push(`and ${places.size - mostReasons} other reasons`);
  const pauses = errors.flatMap((error) => (error instanceof ProviderError && error.retryAfterMs !== undefined ? error.retryAfterMs : []));
  const { code, hint, retryable } = failures.find((failure) => failure.retryable) ?? failures[0]!;
  return new ProviderError(code, `None of the ${failures.length} pictures became a model. By their places in imageIds: ${reasons.join('; ')}`, { retryable, hint: hint ?? undefined, retryAfterMs: pauses.length > 0 ? Math.max(...pauses) : undefined, cause: errors[0] });
}

/** Where a compute task finds a picture, and puts its files. */
export const taskInput = ({ config, outputFolder }: Run<Parameters>, { image, name }: Picture) => ({ path: image.path, limits: imageLimits(config), outputFolder, name });
