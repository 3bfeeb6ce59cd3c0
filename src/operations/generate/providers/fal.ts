import { z } from 'zod';
import { ProviderError } from '../../../errors.ts';
import type { Provider } from '../../define.ts';
import { falUnavailable, runOnFal } from '../../fal.ts';
import type { Parameters, Result } from '../parameters.ts';
import { chooseSeeds, fetchPicture, makePictures, promptOf } from '../pictures.ts';

/** As the image models of fal answer (https://fal.ai/models/fal-ai/flux/schnell/api#schema-output). */
const answer = z.object({
  images: z.array(z.object({ url: z.string() })).min(1),
  has_nsfw_concepts: z.array(z.boolean()).nullish(),
});

/** Image models at fal. Sizes go out as they are asked for; a negative prompt helps only where the model knows it. */
export const fal: Provider<Parameters, Result> = {
  name: 'fal',
  version: '1',
  model: ({ FAL_IMAGE_MODEL }) => FAL_IMAGE_MODEL,
  unavailable: falUnavailable,
  async run(run) {
    const { parameters } = run;
    const model = run.config.FAL_IMAGE_MODEL;
    const seedOf = await chooseSeeds(run);
    return makePictures(run, {
      provider: 'fal',
      atOnce: parameters.count, // fal has its own queue, and each picture a place in it
      async make(position, path) {
        const seed = seedOf(position);
        const { negativePrompt, width, height } = parameters;
        const input = { prompt: promptOf(parameters), ...(negativePrompt && { negative_prompt: negativePrompt }), image_size: { width, height }, num_images: 1, seed };
        const parsed = answer.safeParse(await runOnFal(run, { part: position, model, input }));
        if (!parsed.success) throw new ProviderError('PROVIDER_ERROR', `Expected ${model} to answer with an image but received something else`, { retryable: false, hint: 'FAL_IMAGE_MODEL must name a model that makes images from text', cause: parsed.error });
        const { images, has_nsfw_concepts: flagged } = parsed.data;
        if (flagged?.[0]) throw new ProviderError('PROVIDER_REFUSED', `${model} blackened the picture, because its safety checker objects to it`, { retryable: false, hint: 'Change the prompt, or the seed' });
        await fetchPicture(run, 'fal', images[0]!.url, path);
        return { path, model, seed };
      },
    });
  },
};
