import { defineOperation } from '../define.ts';
import { parametersSchema, resultSchema } from './parameters.ts';
import { fal } from './providers/fal.ts';
import { local } from './providers/local.ts';

export const model3d = defineOperation({
  name: 'model-3d',
  title: '3D model',
  description: 'Makes a textured 3D model of each of up to 25 pictures. The provider "local" makes a rounded silhouette or a relief, not a reconstruction of what the picture does not show; "fal" runs learned models.',
  inputs: { kind: 'IMAGE', min: 1, max: 25 },
  parameters: parametersSchema,
  result: resultSchema,
  providers: [fal, local],
  preferred: (config) => (config.MODEL_3D_PROVIDER === 'auto' ? undefined : config.MODEL_3D_PROVIDER),
  // For 25 pictures.
  timeoutMs: 10 * 60_000,
  // A picture that may succeed at another time is tried again.
  isReusable: ({ pictures }) => pictures.every((picture) => !('failure' in picture && picture.failure.retryable)),
});
