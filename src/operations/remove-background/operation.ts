import { defineOperation } from '../define.ts';
import { parametersSchema, resultSchema } from './parameters.ts';
import { local } from './providers/local.ts';
import { u2net } from './providers/u2net.ts';

export const removeBackground = defineOperation({
  name: 'remove-background',
  title: 'Remove background',
  description: 'Cuts the subject out of a picture: with a clean edge, on nothing, on a colour or on another picture, and as a mask.',
  inputs: { kind: 'IMAGE', min: 1, max: 2 },
  parameters: parametersSchema,
  result: resultSchema,
  providers: [u2net, local],
  // Whoever brings a model wants it: where it cannot run the job says why, and nothing weaker takes its place unasked.
  preferred: ({ U2NET_MODEL_PATH }) => (U2NET_MODEL_PATH ? 'u2net' : undefined),
});
