import { z } from 'zod';
import { failureCodes, type FailureCode } from '../../errors.ts';

/** What the models shall be. The defaults load at once on a telephone. */
export const parametersSchema = z.strictObject({
  format: z.enum(['GLB']).default('GLB'),
  shape: z.enum(['AUTO', 'INFLATED', 'RELIEF']).default('AUTO'),
  faces: z.int().min(500).max(100_000).default(20_000),
  textureSize: z.int().min(128).max(2048).default(1024),
  depth: z.number().min(0.1).max(4).default(1),
});
export type Parameters = z.infer<typeof parametersSchema>;

const codes = Object.keys(failureCodes) as [FailureCode, ...FailureCode[]];
const failure = z.object({ code: z.enum(codes), message: z.string(), hint: z.string().nullable(), retryable: z.boolean() });
export type PictureFailure = z.infer<typeof failure>;

export const resultSchema = z.object({
  /** Every asset: the thumbnails and the models. */
  outputs: z.array(z.uuid()).default([]),
  /** For each input, in their order, what became of it. */
  pictures: z.array(z.union([z.object({ modelId: z.uuid() }), z.object({ failure })])),
});
export type Result = z.infer<typeof resultSchema>;
