import { z } from 'zod';

const share = z.number().min(0).max(1);
/** Fractions of width and height from the top left. */
const box = z.object({ x: share, y: share, width: share, height: share });
const named = z.object({ name: z.string(), confidence: share });
const boxed = named.extend({ box });

/** What is measured from the pixels at every analyze job, whoever the provider is. */
export const measurementsSchema = z.object({
  width: z.number().int(),
  height: z.number().int(),
  colors: z.object({
    dominant: z.array(z.string()),
    palette: z.array(z.object({ hex: z.string(), name: z.string(), share, lab: z.tuple([z.number(), z.number(), z.number()]) })),
    accent: z.string(),
    background: z.string(),
    foreground: z.string(),
    isBlackAndWhite: z.boolean(),
  }),
  quality: z.object({ sharpness: share, exposure: share, contrast: share, score: share }),
  placeholder: z.object({ thumbHash: z.string() }),
  hashes: z.object({ pdq: z.string().length(64), pdqTrimmed: z.string().length(64), pdqQuality: z.number() }),
  embedding: z.object({ model: z.literal('vd1'), values: z.array(z.number()).length(256) }),
  tags: z.array(named.extend({ source: z.string() })),
  caption: z.object({ text: z.string(), confidence: share }),
  codes: z.array(z.object({ format: z.string(), text: z.string(), box })),
});

/** What a provider says on top of the measurements. `isPartial`: an outage cut it short, so it must not answer for the same work later. A feature it cannot do is in `unavailable`, never an empty list that looks like an answer. */
export const wordsSchema = z.object({
  source: z.object({ provider: z.string(), version: z.string() }),
  isPartial: z.boolean(),
  caption: z.object({ text: z.string(), confidence: share }).nullable(),
  tags: z.array(named),
  objects: z.array(boxed),
  faces: z.array(z.object({ box, confidence: share.nullable() })),
  text: z.object({ content: z.string(), lines: z.array(z.object({ text: z.string(), confidence: share.nullable(), box })) }).nullable(),
  categories: z.array(named),
  brands: z.array(boxed),
  landmarks: z.array(named),
  moderation: z.object({ isAdult: z.boolean(), isRacy: z.boolean(), isGory: z.boolean(), adultScore: share, racyScore: share, goreScore: share }).nullable(),
  unavailable: z.array(z.object({ feature: z.string(), reason: z.string() })),
});
export type Words = z.infer<typeof wordsSchema>;

export const resultSchema = z.object({ measurements: measurementsSchema, words: wordsSchema });
export type AnalyzeResult = z.infer<typeof resultSchema>;

type Box = z.infer<typeof box>;

/** The same rectangle in whole pixels of the upright picture; it never leaves the picture. */
function pixelsOf(box: Box, { width, height }: { width: number; height: number }): Box {
  const [x, y] = [Math.round(box.x * width), Math.round(box.y * height)];
  return { x, y, width: Math.round((box.x + box.width) * width) - x, height: Math.round((box.y + box.height) * height) - y };
}

/** What the graph shows of an analysis, kept as JSON: everything but the vectors and hashes, which have tables of their own. */
export function factsOf({ measurements, words: { source, isPartial: _, ...words } }: AnalyzeResult) {
  const { colors, quality, codes } = measurements;
  const placed = <Thing extends { box: Box }>(things: Thing[]) => things.map((thing) => ({ ...thing, box: { ...thing.box, pixels: pixelsOf(thing.box, measurements) } }));
  const tags = [
    ...measurements.tags.map(({ name, confidence }) => ({ name, confidence, source: 'local' })),
    ...words.tags.map((tag) => ({ ...tag, source: source.provider })),
  ].sort((a, b) => b.confidence - a.confidence);
  return {
    ...words,
    caption: words.caption ?? measurements.caption,
    tags,
    objects: placed(words.objects),
    faces: placed(words.faces),
    brands: placed(words.brands),
    text: words.text && { ...words.text, lines: placed(words.text.lines) },
    colors,
    quality,
    codes: placed(codes),
  };
}
export type AnalysisFacts = ReturnType<typeof factsOf>;
