import { z } from 'zod';
import { hexOf } from '../../compute/parse-color.ts';

/** Equal colours become equal texts, and so equal work. */
const color = z.string().transform((text, { addIssue }) => {
  const hex = hexOf(text);
  if (hex) return hex;
  addIssue({ code: 'custom', input: text, message: 'Expected a CSS colour without transparency, such as "#ffffff" or "teal"' });
  return z.NEVER;
});
const share = z.number().min(0).max(1);

const crop = z
  .strictObject({ x: share, y: share, width: share.positive(), height: share.positive() })
  .refine(({ x, y, width, height }) => x + width <= 1 + 1e-6 && y + height <= 1 + 1e-6, 'Expected a rectangle within the picture: x + width and y + height at most 1');

const aspectRatio = z.string().regex(/^[1-9]\d{0,3}:[1-9]\d{0,3}$/, { error: 'Expected width and height such as "4:5"', abort: true }).refine((text) => Math.abs(Math.log(shapeOf(text))) <= Math.log(10) + 1e-9, 'Expected a shape between "1:10" and "10:1"');

/** Width over height of "4:5". */
export function shapeOf(ratio: string): number {
  const [width, height] = ratio.split(':').map(Number);
  return width! / height!;
}

/** What a cut-out shall be. The defaults are what a web shop wants: the subject alone, trimmed, transparent around it. */
export const parametersSchema = z
  .strictObject({
    output: z.enum(['CUTOUT', 'MASK', 'BOTH']).default('CUTOUT'),
    format: z.enum(['PNG', 'WEBP', 'JPEG']).default('PNG'),
    backgroundColor: color.nullable().default(null),
    /** The second input of the job lies under the subject. */
    onImage: z.boolean().default(false),
    crop: crop.nullable().default(null),
    trim: z.boolean().default(true),
    padding: share.default(0.04),
    aspectRatio: aspectRatio.nullable().default(null),
    feather: z.number().min(0).max(50).default(0),
    shadow: z.boolean().default(false),
  })
  .refine(({ backgroundColor, onImage }) => !(backgroundColor && onImage), { path: ['backgroundColor'], message: 'Expected a colour or an image as background but received both' })
  .refine(({ format, output, backgroundColor, onImage }) => format !== 'JPEG' || output === 'MASK' || backgroundColor || onImage, { path: ['format'], message: 'Expected a background for JPEG, which has no transparency' });
export type Parameters = z.infer<typeof parametersSchema>;

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
