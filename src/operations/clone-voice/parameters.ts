import { z } from 'zod';

const share = z.number().min(0).max(1);

/** How the voice shall speak: ElevenLabs' own settings, in its ranges and with its defaults. */
export const settingsSchema = z.object({
  stability: share.default(0.5),
  similarityBoost: share.default(0.75),
  style: share.default(0),
  useSpeakerBoost: z.boolean().default(true),
});

export const maxDescriptionLength = 400;
const maxLabels = 10;

export const parametersSchema = z.strictObject({
  name: z.string().trim().min(1).max(100),
  description: z.string().trim().max(maxDescriptionLength).default(''),
  labels: z.record(z.string().min(1).max(40), z.string().max(100)).refine((labels) => Object.keys(labels).length <= maxLabels, `Expected at most ${maxLabels} labels`).default({}),
  removeBackgroundNoise: z.boolean().default(false),
  ...settingsSchema.shape,
});
export type Parameters = z.infer<typeof parametersSchema>;

export const resultSchema = z.object({
  voiceId: z.string(),
  name: z.string(),
  description: z.string(),
  settings: settingsSchema,
  requiresVerification: z.boolean(),
});
export type Result = z.infer<typeof resultSchema>;
