import { z } from 'zod';
import type { Words } from '../facts.ts';

/** What Azure Computer Vision v3.2 answers, as far as it is used. Fields it may leave out are optional: what is missing is said to be unavailable. */

const clamp = (value: number) => Math.min(1, Math.max(0, value));
const score = z.number().transform(clamp);
const named = z.object({ name: z.string(), confidence: score });
const rectangle = z.object({ x: z.number(), y: z.number(), w: z.number(), h: z.number() });
const faceRectangle = z
  .object({ left: z.number(), top: z.number(), width: z.number(), height: z.number() })
  .transform(({ left, top, width, height }) => ({ x: left, y: top, w: width, h: height }));
const size = { width: z.number().positive(), height: z.number().positive() };

export const imageAnswer = z.object({
  metadata: z.object(size),
  modelVersion: z.string().optional(),
  description: z.object({ captions: z.array(z.object({ text: z.string(), confidence: score })) }).nullish(),
  tags: z.array(named).nullish(),
  objects: z.array(z.object({ object: z.string(), confidence: score, rectangle })).nullish(),
  faces: z.array(z.object({ faceRectangle })).nullish(),
  brands: z.array(named.extend({ rectangle })).nullish(),
  categories: z.array(z.object({ name: z.string(), score, detail: z.object({ landmarks: z.array(named).nullish() }).nullish() })).nullish(),
  adult: z.object({ isAdultContent: z.boolean(), isRacyContent: z.boolean(), isGoryContent: z.boolean(), adultScore: score, racyScore: score, goreScore: score }).nullish(),
  imageType: z.object({ clipArtType: z.number(), lineDrawingType: z.number() }).nullish(),
});

export const readStarted = z.object({ operationLocation: z.string() });

export const readAnswer = z.object({
  status: z.enum(['notStarted', 'running', 'failed', 'succeeded']),
  analyzeResult: z
    .object({
      readResults: z.array(
        z.object({ ...size, lines: z.array(z.object({ text: z.string(), boundingBox: z.array(z.number()).length(8), words: z.array(z.object({ confidence: score })) })) }),
      ),
    })
    .optional(),
});

/** Everything but the text, which is another call. Boxes are pixels of the picture that Azure saw; ours are fractions. */
export function toWords({ metadata, modelVersion: _, description, tags, objects, faces, brands, categories, adult, imageType }: z.infer<typeof imageAnswer>): Omit<Words, 'source' | 'isPartial' | 'text'> {
  const landmarks = categories?.flatMap(({ detail }) => detail?.landmarks ?? []);
  const answers = { caption: description, tags, objects, faces, brands, categories, landmarks, moderation: adult };
  return {
    caption: description?.captions[0] ?? null,
    tags: [...(tags ?? []), ...(imageType ? kindsOf(imageType) : [])],
    objects: (objects ?? []).map(({ object, confidence, rectangle: at }) => ({ name: object, confidence, box: toBox(at, metadata) })),
    faces: (faces ?? []).map(({ faceRectangle: at }) => ({ box: toBox(at, metadata), confidence: null })),
    brands: (brands ?? []).map(({ name, confidence, rectangle: at }) => ({ name, confidence, box: toBox(at, metadata) })),
    categories: (categories ?? []).map(({ name, score: confidence }) => ({ name: name.replaceAll('_', ' ').trim(), confidence })),
    landmarks: [...new Map((landmarks ?? []).map((landmark) => [landmark.name, landmark])).values()],
    moderation: adult
      ? { isAdult: adult.isAdultContent, isRacy: adult.isRacyContent, isGory: adult.isGoryContent, adultScore: adult.adultScore, racyScore: adult.racyScore, goreScore: adult.goreScore }
      : null,
    unavailable: Object.entries(answers).filter(([, answer]) => answer == null).map(([feature]) => ({ feature, reason: 'The answer of azure-vision does not tell' })),
  };
}

export function toText({ analyzeResult }: z.infer<typeof readAnswer>): NonNullable<Words['text']> {
  const lines = (analyzeResult?.readResults ?? []).flatMap((page) =>
    page.lines.map(({ text, boundingBox, words }) => {
      const [xs, ys] = [0, 1].map((axis) => boundingBox.filter((_value, index) => index % 2 === axis)) as [number[], number[]];
      const [x, y] = [Math.min(...xs), Math.min(...ys)];
      const confidence = words.length > 0 ? words.reduce((sum, word) => sum + word.confidence, 0) / words.length : null;
      return { text, confidence, box: toBox({ x, y, w: Math.max(...xs) - x, h: Math.max(...ys) - y }, page) };
    }),
  );
  return { content: lines.map(({ text }) => text).join('\n'), lines };
}

/** Azure grades clip art 0 to 3, and line drawings 0 or 1. */
function kindsOf({ clipArtType, lineDrawingType }: { clipArtType: number; lineDrawingType: number }) {
  const kinds = [{ name: 'clip art', confidence: clamp(clipArtType / 3) }, { name: 'line drawing', confidence: clamp(lineDrawingType) }];
  return kinds.filter(({ confidence }) => confidence > 0.5);
}

function toBox({ x, y, w, h }: z.infer<typeof rectangle>, { width, height }: { width: number; height: number }) {
  const [left, top] = [clamp(x / width), clamp(y / height)];
  return { x: left, y: top, width: clamp((x + w) / width) - left, height: clamp((y + h) / height) - top };
}
