import { Image } from '../../assets/schema.ts';
import { noImage } from '../../errors.ts';
import { builder } from '../../graphql/builder.ts';
import { JobOptions } from '../../jobs/options.ts';
import { startForImages, StartJobsPayload } from '../../jobs/schema.ts';
import { startJob } from '../../jobs/start.ts';
import type { AnalysisFacts } from './facts.ts';
import { analyze } from './operation.ts';

const confidence = 'How sure the source is, 0 to 1.';

type Rectangle = { x: number; y: number; width: number; height: number };

const PixelBox = builder.objectRef<Rectangle>('PixelBox').implement({
  description: 'A rectangle in whole pixels of the upright picture, from the top left.',
  fields: (t) => ({ x: t.exposeInt('x'), y: t.exposeInt('y'), width: t.exposeInt('width'), height: t.exposeInt('height') }),
});

export const Box = builder.objectRef<Rectangle & { pixels: Rectangle }>('Box').implement({
  description: 'A rectangle in the upright picture, as fractions of its width and height from the top left. Fractions fit every rendition.',
  fields: (t) => ({
    x: t.exposeFloat('x'),
    y: t.exposeFloat('y'),
    width: t.exposeFloat('width'),
    height: t.exposeFloat('height'),
    pixels: t.expose('pixels', { type: PixelBox, description: 'The same in pixels of the original.' }),
  }),
});

const Caption = builder.objectRef<{ text: string; confidence: number }>('Caption').implement({
  fields: (t) => ({ text: t.exposeString('text'), confidence: t.exposeFloat('confidence', { description: confidence }) }),
});

const Tag = builder.objectRef<{ name: string; confidence: number; source: string }>('Tag').implement({
  description: 'A word for the picture.',
  fields: (t) => ({
    name: t.exposeString('name'),
    confidence: t.exposeFloat('confidence', { description: confidence }),
    source: t.exposeString('source', { description: 'Who said it: "local" for what was measured from the pixels, else the provider.' }),
  }),
});

const Named = builder.objectRef<{ name: string; confidence: number }>('NamedFinding').implement({
  fields: (t) => ({ name: t.exposeString('name'), confidence: t.exposeFloat('confidence', { description: confidence }) }),
});

const Boxed = builder.objectRef<AnalysisFacts['objects'][number]>('BoxedFinding').implement({
  fields: (t) => ({ name: t.exposeString('name'), confidence: t.exposeFloat('confidence', { description: confidence }), box: t.expose('box', { type: Box }) }),
});

const Face = builder.objectRef<AnalysisFacts['faces'][number]>('Face').implement({
  fields: (t) => ({ box: t.expose('box', { type: Box }), confidence: t.exposeFloat('confidence', { nullable: true }) }),
});

const TextLine = builder.objectRef<NonNullable<AnalysisFacts['text']>['lines'][number]>('TextLine').implement({
  fields: (t) => ({ text: t.exposeString('text'), confidence: t.exposeFloat('confidence', { nullable: true }), box: t.expose('box', { type: Box }) }),
});

const Text = builder.objectRef<NonNullable<AnalysisFacts['text']>>('RecognizedText').implement({
  fields: (t) => ({ content: t.exposeString('content', { description: 'All lines, from top to bottom.' }), lines: t.expose('lines', { type: [TextLine] }) }),
});

const Code = builder.objectRef<AnalysisFacts['codes'][number]>('Code').implement({
  description: 'A QR code or barcode.',
  fields: (t) => ({ format: t.exposeString('format', { description: 'Such as "QRCode" or "EAN-13".' }), text: t.exposeString('text', { description: 'What it says. It comes from a stranger: do not open it unseen.' }), box: t.expose('box', { type: Box }) }),
});

const Moderation = builder.objectRef<NonNullable<AnalysisFacts['moderation']>>('Moderation').implement({
  fields: (t) => ({
    isAdult: t.exposeBoolean('isAdult'),
    isRacy: t.exposeBoolean('isRacy'),
    isGory: t.exposeBoolean('isGory'),
    adultScore: t.exposeFloat('adultScore'),
    racyScore: t.exposeFloat('racyScore'),
    goreScore: t.exposeFloat('goreScore'),
  }),
});

const PaletteColor = builder.objectRef<AnalysisFacts['colors']['palette'][number]>('PaletteColor').implement({
  fields: (t) => ({
    hex: t.exposeString('hex'),
    name: t.exposeString('name', { description: 'One of black, blue, brown, gray, green, orange, pink, purple, red, teal, white, yellow.' }),
    share: t.exposeFloat('share', { description: 'Part of the picture, 0 to 1.' }),
  }),
});

const Colors = builder.objectRef<AnalysisFacts['colors']>('Colors').implement({
  fields: (t) => ({
    dominant: t.exposeStringList('dominant', { description: 'Names of the colours that cover at least 8 %, the heaviest first.' }),
    accent: t.exposeString('accent', { description: 'The most striking colour, as hex.' }),
    background: t.exposeString('background', { description: 'Name of the heaviest colour of the frame.' }),
    foreground: t.exposeString('foreground', { description: 'Name of the heaviest other colour of the middle.' }),
    palette: t.expose('palette', { type: [PaletteColor], description: 'Up to eight colours, the heaviest first.' }),
    isBlackAndWhite: t.exposeBoolean('isBlackAndWhite'),
  }),
});

const Quality = builder.objectRef<AnalysisFacts['quality']>('Quality').implement({
  description: 'How well the picture is made technically, each 0 to 1.',
  fields: (t) => ({ sharpness: t.exposeFloat('sharpness'), exposure: t.exposeFloat('exposure'), contrast: t.exposeFloat('contrast'), score: t.exposeFloat('score', { description: 'The three together.' }) }),
});

const Unavailable = builder.objectRef<{ feature: string; reason: string }>('UnavailableFeature').implement({
  fields: (t) => ({ feature: t.exposeString('feature', { description: 'The field of Analysis that is empty because of it.' }), reason: t.exposeString('reason') }),
});

const factsOf = (analysis: { facts: unknown }) => analysis.facts as AnalysisFacts;

export const Analysis = builder.prismaObject('Analysis', {
  scope: 'images:read',
  description: 'What is known of a picture. Colours, quality and codes are measured from the pixels; words come from the provider. What the provider cannot do is in `unavailable`.',
  fields: (t) => {
    const facts = { select: { facts: true } } as const;
    return {
      provider: t.exposeString('provider'),
      modelVersion: t.exposeString('modelVersion'),
      analyzedAt: t.expose('analyzedAt', { type: 'DateTime' }),
      caption: t.field({ ...facts, type: Caption, nullable: true, resolve: (analysis) => factsOf(analysis).caption }),
      tags: t.field({ ...facts, type: [Tag], description: 'The surest first.', resolve: (analysis) => factsOf(analysis).tags }),
      objects: t.field({ ...facts, type: [Boxed], resolve: (analysis) => factsOf(analysis).objects }),
      faces: t.field({ ...facts, type: [Face], resolve: (analysis) => factsOf(analysis).faces }),
      text: t.field({ ...facts, type: Text, nullable: true, resolve: (analysis) => factsOf(analysis).text }),
      codes: t.field({ ...facts, type: [Code], resolve: (analysis) => factsOf(analysis).codes }),
      categories: t.field({ ...facts, type: [Named], resolve: (analysis) => factsOf(analysis).categories }),
      brands: t.field({ ...facts, type: [Boxed], resolve: (analysis) => factsOf(analysis).brands }),
      landmarks: t.field({ ...facts, type: [Named], resolve: (analysis) => factsOf(analysis).landmarks }),
      moderation: t.field({ ...facts, type: Moderation, nullable: true, resolve: (analysis) => factsOf(analysis).moderation }),
      colors: t.field({ ...facts, type: Colors, resolve: (analysis) => factsOf(analysis).colors }),
      quality: t.field({ ...facts, type: Quality, resolve: (analysis) => factsOf(analysis).quality }),
      unavailable: t.field({ ...facts, type: [Unavailable], description: 'What this provider could not look for, said out loud.', resolve: (analysis) => factsOf(analysis).unavailable }),
    };
  },
});

builder.prismaObjectField(Image, 'analysis', (t) =>
  t.field({
    type: Analysis,
    nullable: true,
    description: 'The newest analysis; null until there is one.',
    select: (_args, _context, nestedSelection) => ({ analyses: { ...(nestedSelection(true) as object), orderBy: { analyzedAt: 'desc' as const }, take: 1 } }),
    resolve: (image) => (image.analyses as (typeof Analysis.$inferType)[])[0] ?? null,
  }),
);

export const AnalyzeResultRef = builder.objectRef<{ jobId: string }>('AnalyzeResult').implement({
  description: 'The result of an ANALYZE job.',
  fields: (t) => ({
    analysis: t.prismaField({
      type: Analysis,
      nullable: true,
      description: 'Null when the image was deleted since.',
      resolve: (query, { jobId }, _args, { app, viewer }) => app.db.analysis.findFirst({ ...query, where: { jobId, ownerId: viewer.id } }),
    }),
  }),
});

builder.mutationField('analyzeImages', (t) =>
  t.field({
    type: StartJobsPayload,
    scope: 'jobs:write',
    description: 'Analyses images (again). Uploads do this by themselves. At most 100 at a time.',
    args: { imageIds: t.arg.globalIDList({ required: true, for: Image }), options: t.arg({ type: JobOptions }) },
    resolve: (_root, { imageIds, options }, { app, viewer }) =>
      startForImages(app, imageIds, options, async (id, each) => {
        const image = await app.db.asset.findFirst({ where: { id, ownerId: viewer.id, kind: 'IMAGE' }, select: { id: true } });
        if (!image) throw noImage();
        return startJob(app, viewer, { operation: analyze, inputIds: [id], parameters: {}, options: each });
      }),
  }),
);
