import { z } from 'zod';
import type { AssetKind } from '../database/generated/client.ts';

/** What only assets of one kind have, as their column `details` keeps it. */
export const model3dDetails = z.object({
  format: z.enum(['GLB']),
  shape: z.enum(['INFLATED', 'RELIEF', 'RECONSTRUCTED']),
  vertexCount: z.int().min(0),
  faceCount: z.int().min(0),
  /** An image that shows the model; whoever deletes that image loses it. */
  thumbnailId: z.uuid().nullable(),
});
/** How a picture came to be that was generated, not taken. */
export const imageOrigin = z.object({
  provider: z.string(),
  model: z.string(),
  prompt: z.string(),
  negativePrompt: z.string().nullable(),
  /** What the provider made of the prompt before it followed it. */
  revisedPrompt: z.string().nullable(),
  seed: z.int().nullable(),
  style: z.string().nullable(),
});
export type ImageOrigin = z.infer<typeof imageOrigin>;
const imageDetails = z.object({ origin: imageOrigin.optional() });

/** The origin of a generated picture; null for anything else. */
export const originOf = ({ kind, details }: { kind: AssetKind; details: unknown }): ImageOrigin | null => (kind === 'IMAGE' && details ? (imageDetails.parse(details).origin ?? null) : null);

export const audioDetails = z.object({
  format: z.enum(['WAV', 'MP3', 'M4A', 'AAC', 'OGG', 'FLAC', 'WEBM']),
  codec: z.string(),
  durationSeconds: z.number().min(0).nullable(),
  sampleRate: z.number(),
  channels: z.number(),
});
