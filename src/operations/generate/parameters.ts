import { z } from 'zod';

export const styles = ['PHOTOGRAPH', 'PAINTING', 'SKETCH', 'POSTER'] as const;

export const limits = { count: 10, promptLength: 4_000, minSide: 256, maxSide: 2_048, maxSeed: 2 ** 31 - 1 };

const side = z.int().min(limits.minSide).max(limits.maxSide).default(1_024);
const words = z.string().trim().max(limits.promptLength);

/** What pictures to make. The defaults are what most models are best at. */
export const parametersSchema = z.strictObject({
  prompt: words.min(1, 'Expected a prompt that says what the pictures shall show'),
  negativePrompt: words.transform((text) => text || null).nullable().default(null),
  count: z.int().min(1).max(limits.count).default(1),
  width: side,
  height: side,
  /** The first picture's; each of the others has the next one. */
  seed: z.int().min(0).max(limits.maxSeed).nullable().default(null),
  style: z.enum(styles).nullable().default(null),
  analyze: z.boolean().default(true),
});
export type Parameters = z.infer<typeof parametersSchema>;

/** All else there is to say about a picture is its origin, which stays with it. */
export const resultSchema = z.object({ outputs: z.array(z.uuid()).default([]) });
export type Result = z.infer<typeof resultSchema>;
