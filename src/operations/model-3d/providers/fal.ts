import { join } from 'node:path';
import { z } from 'zod';
import { imageFormats, sniffFormat } from '../../../compute/sniff.ts';
import { ProviderError } from '../../../errors.ts';
import { asProviderError } from '../../../http/outward.ts';
import type { Provider, Run } from '../../define.ts';
import { falUnavailable, giveUpOnFal, runOnFal } from '../../fal.ts';
import { makeModels, taskInput, type Picture } from '../make-models.ts';
import type { Parameters, Result } from '../parameters.ts';

/** As the models of fal that make a thing of a picture answer: most as https://fal.ai/models/fal-ai/triposr/api#schema-output, some with the other name. */
const file = z.object({ url: z.string() });
const answer = z.union([z.object({ model_mesh: file }), z.object({ model_glb: file }).transform(({ model_glb }) => ({ model_mesh: model_glb }))]);

/** A data URI is a third larger than its bytes, and stands in a request of JSON. */
const accepts = { formats: ['JPEG' as const, 'PNG' as const, 'WEBP' as const], maxBytes: 4_000_000, minSide: 1, maxSide: 2048 };
const maxModelBytes = 100_000_000;
const readTimeoutMs = 60_000;
/** fal has a queue of its own; this many wait in it at a time. */
const atOnce = 5;

/** Learned models at fal, which know what the other side of a thing may look like. They decide about shape, faces and texture by themselves. */
export const fal: Provider<Parameters, Result> = {
  name: 'fal',
  version: '1',
  model: ({ FAL_3D_MODEL }) => FAL_3D_MODEL,
  unavailable: falUnavailable,
  async run(run) {
    const made = await makeModels(run, atOnce, async (picture) => {
      const path = join(run.outputFolder, `${picture.name}.glb`);
      await run.http.download(await modelUrl(run, picture), { path, maxBytes: maxModelBytes, timeoutMs: run.timeoutMs, signal: run.signal, accept: 'model/gltf-binary' }).catch((error: unknown) => {
        throw asProviderError('fal', error);
      });
      picture.progress(90, 'reading the model');
      const { output, peakRssBytes } = await run.compute.run('readModel', { ...taskInput(run, picture), path }, { signal: run.signal, timeoutMs: readTimeoutMs });
      return { ...output, shape: 'RECONSTRUCTED', peakMemoryBytes: peakRssBytes };
    });
    const model = run.config.FAL_3D_MODEL;
    await Promise.all(made.result.pictures.flatMap((picture, part) => ('failure' in picture ? giveUpOnFal(run, { part, model }) : [])));
    return made;
  },
};

async function modelUrl(run: Run<Parameters>, picture: Picture): Promise<string> {
  const { path, limits } = taskInput(run, picture);
  const { output } = await run.compute.run('encode', { path, limits, accepts }, { signal: run.signal, timeoutMs: readTimeoutMs });
  const sniffed = sniffFormat(output.bytes);
  const contentType = sniffed?.accepted ? imageFormats[sniffed.format].contentType : 'application/octet-stream';
  const model = run.config.FAL_3D_MODEL;
  const image = `data:${contentType};base64,${Buffer.from(output.bytes).toString('base64')}`;
  const told = await runOnFal(run, { part: picture.index, model, input: { image_url: image }, onStatus: ({ status }) => picture.progress(status === 'IN_QUEUE' ? 10 : 30, status === 'IN_QUEUE' ? 'waiting at fal' : 'at work at fal') });
  const parsed = answer.safeParse(told);
  if (parsed.success) return parsed.data.model_mesh.url;
  throw new ProviderError('PROVIDER_ERROR', `Expected ${model} to answer with a 3D model but received something else`, { retryable: false, hint: 'FAL_3D_MODEL must name a model that takes image_url and makes a GLB', cause: parsed.error });
}
