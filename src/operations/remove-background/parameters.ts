import { z } from 'zod';

const hexColor = z.string().regex(/^#[0-9a-f]{6}$/i, 'Expected a colour such as "#ffffff"').transform((text) => text.toLowerCase());

/** What a cut-out shall be. The defaults are what a web shop wants: the subject alone, trimmed, transparent around it. */
export const parametersSchema = z.strictObject({
  output: z.enum(['CUTOUT', 'MASK', 'BOTH']).default('CUTOUT'),
  format: z.enum(['PNG', 'WEBP']).default('PNG'),
  backgroundColor: hexColor.nullable().default(null),
  trim: z.boolean().default(true),
  padding: z.number().min(0).max(1).default(0.04),
  feather: z.number().min(0).max(50).default(0),
  shadow: z.boolean().default(false),
});
export type Parameters = z.infer<typeof parametersSchema>;

const share = z.number().min(0).max(1);
const rectangle = z.object({ x: z.number(), y: z.number(), width: z.number(), height: z.number() });

export const resultSchema = z.object({
  /** The assets, in the order of `kinds`. */
  outputs: z.array(z.uuid()).default([]),
  kinds: z.array(z.enum(['cutout', 'mask'])),
  coverage: share,
  /** Fractions and pixels of the upright original. */
  box: rectangle.extend({ pixels: rectangle }),
  confidence: share,
  model: z.object({ sha256: z.string(), side: z.number() }).nullable(),
});
export type Result = z.infer<typeof resultSchema>;
