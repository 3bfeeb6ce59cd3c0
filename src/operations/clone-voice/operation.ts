import { defineOperation } from '../define.ts';
import { parametersSchema, resultSchema } from './parameters.ts';
import { elevenlabs } from './providers/elevenlabs.ts';

export const cloneVoice = defineOperation({
  name: 'clone-voice',
  title: 'Clone voice',
  description: 'Makes a voice out of recordings of somebody who speaks, for a provider that lets it say anything.',
  inputs: { kind: 'AUDIO', min: 1, max: 25 },
  parameters: parametersSchema,
  result: resultSchema,
  providers: [elevenlabs],
});
