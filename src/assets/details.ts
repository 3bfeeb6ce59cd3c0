import { z } from 'zod';

/** What only assets of one kind have, as their column `details` keeps it. */
export const model3dDetails = z.object({
  format: z.enum(['GLB']),
  vertexCount: z.int().min(0),
  faceCount: z.int().min(0),
  /** An image that shows the model; whoever deletes that image loses it. */
  thumbnailId: z.uuid().nullable(),
});
export const audioDetails = z.object({ durationSeconds: z.number().min(0) });
