import { z } from 'zod';
import { defineOperation } from '../define.ts';
import { resultSchema } from './facts.ts';
import { keepAnalysis } from './keep.ts';
import { measuredFirst, type AnalyzeParameters } from './measured.ts';
import { auto } from './providers/auto.ts';
import { azureVision } from './providers/azure-vision.ts';
import { local } from './providers/local.ts';

export const analyze = defineOperation({
  name: 'analyze',
  title: 'Analyze',
  description: 'Finds out what is in a picture: caption, tags, colours, quality, codes, and what search and similar need.',
  inputs: { kind: 'IMAGE', min: 1, max: 1 },
  parameters: z.strictObject({}) as z.ZodType<AnalyzeParameters>,
  result: resultSchema,
  providers: [auto, azureVision, local].map(measuredFirst),
  preferred: (config) => (config.ANALYZE_PROVIDER === 'auto' ? undefined : config.ANALYZE_PROVIDER),
  isReusable: ({ words }) => !words.isPartial,
  keep: keepAnalysis,
});
