import { Image } from '../../assets/schema.ts';
import { builder } from '../../graphql/builder.ts';
import { JobOptions } from '../../jobs/options.ts';
import { startJob } from '../../jobs/start.ts';
import { Job } from '../../jobs/types.ts';
import { generate } from './operation.ts';
import { limits, type Result } from './parameters.ts';

const ImageStyle = builder.enumType('ImageStyle', {
  description: 'How pictures shall look.',
  values: {
    PHOTOGRAPH: { description: 'As a camera sees it, with the grain of film.' },
    PAINTING: { description: 'Broad strokes of paint.' },
    SKETCH: { description: 'Lines of a pencil on paper.' },
    POSTER: { description: 'A few flat colours.' },
  } as const,
});

const sides = `Pixels, ${limits.minSide} to ${limits.maxSide}.`;

const GenerateImagesInput = builder.inputType('GenerateImagesInput', {
  description: 'Which pictures to make.',
  fields: (t) => ({
    prompt: t.string({ required: true, description: `What they shall show, up to ${limits.promptLength} characters.` }),
    negativePrompt: t.string({ description: 'What they shall not show. "openai" reads it as a part of the prompt; "fal" hands it to models that know it.' }),
    count: t.int({ defaultValue: 1, description: `How many, 1 to ${limits.count}.` }),
    width: t.int({ defaultValue: 1024, description: `${sides} Some models know a few sizes only, and make the nearest in shape; \`Image.width\` says what came.` }),
    height: t.int({ defaultValue: 1024, description: sides }),
    seed: t.int({ description: `0 to ${limits.maxSeed}. The first picture's; each of the others has the next one. Without it: drawn at random once for the job. "openai" knows no seeds.` }),
    style: t.field({ type: ImageStyle, description: 'Without it: as the prompt says.' }),
    analyze: t.boolean({ defaultValue: true, description: 'Start an ANALYZE job for each picture, so that it is found by colour and likeness too.' }),
  }),
});

export const GenerateImagesResult = builder.objectRef<Result>('GenerateImagesResult').implement({
  description: 'The result of a GENERATE job.',
  fields: (t) => ({
    images: t.prismaField({
      type: [Image],
      description: 'In order; `origin` tells the seed and the model of each. A deleted image is missing here.',
      resolve: async (query, { outputs }, _args, { app, viewer }) => {
        const images = await app.db.asset.findMany({ ...query, where: { id: { in: outputs }, ownerId: viewer.id, kind: 'IMAGE' } });
        return outputs.flatMap((id) => images.find((image) => image.id === id) ?? []);
      },
    }),
  }),
});

builder.mutationField('generateImages', (t) =>
  t.prismaField({
    type: Job,
    scope: 'jobs:write',
    description: 'Makes pictures from words. Each becomes an image of the viewer, and is in `outputs` of the job, as soon as it exists; it stays when the job is cancelled or fails later. The same request again is answered with the same pictures as long as JOB_CACHE_TTL says, unless `options.useCache` is false.',
    args: { input: t.arg({ type: GenerateImagesInput, required: true }), options: t.arg({ type: JobOptions }) },
    resolve: async (query, _root, { input, options }, { app, viewer }) => {
      const parameters = Object.fromEntries(Object.entries(input).filter(([, value]) => value !== null));
      const job = await startJob(app, viewer, { operation: generate, inputIds: [], parameters, options: options ?? {} });
      return app.db.job.findFirstOrThrow({ ...query, where: { id: job.id, ownerId: viewer.id } });
    },
  }),
);
