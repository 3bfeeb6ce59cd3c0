import { defineOperation } from '../define.ts';
import { parametersSchema, resultSchema } from './parameters.ts';
import { local } from './providers/local.ts';
import { u2net } from './providers/u2net.ts';

export const removeBackground = defineOperation({
  name: 'remove-background',
  title: 'Remove background',
  description: 'Cuts the subject out of a picture: with a clean edge, on nothing or on a colour, and as a mask.',
  inputs: { kind: 'IMAGE', min: 1, max: 1 },
  parameters: parametersSchema,
  result: resultSchema,
  providers: [u2net, local],
});
