import { defineOperation } from '../define.ts';
import { parametersSchema, resultSchema } from './parameters.ts';
import { fal } from './providers/fal.ts';
import { local } from './providers/local.ts';
import { openai } from './providers/openai.ts';

export const generate = defineOperation({
  name: 'generate',
  title: 'Generate images',
  description: 'Makes pictures from words. Each is an image of the viewer as soon as it exists. The provider "local" is no AI model: a program draws scenes that it knows a word of the prompt for.',
  inputs: { kind: 'IMAGE', min: 0, max: 0 },
  parameters: parametersSchema,
  result: resultSchema,
  providers: [openai, fal, local],
  preferred: (config) => (config.GENERATE_PROVIDER === 'auto' ? undefined : config.GENERATE_PROVIDER),
  analyzesOutputs: ({ analyze }) => analyze,
});
