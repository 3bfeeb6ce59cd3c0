import type { Viewer } from '../../access/viewer.ts';
import type { App } from '../../app.ts';
import { Image } from '../../assets/schema.ts';
import { noImage } from '../../errors.ts';
import { builder, rowId } from '../../graphql/builder.ts';
import { JobOptions } from '../../jobs/options.ts';
import { startForImages, StartJobsPayload } from '../../jobs/schema.ts';
import { startJob, type JobOptions as Options } from '../../jobs/start.ts';
import { Job } from '../../jobs/types.ts';
import { Box } from '../analyze/schema.ts';
import { removeBackground } from './operation.ts';
import type { Result } from './parameters.ts';

const CutOutOutput = builder.enumType('CutOutOutput', {
  values: {
    CUTOUT: { description: 'The subject with a soft, clean edge.' },
    MASK: { description: 'Where the subject is: white on black, as large as the cut-out.' },
    BOTH: { description: 'Two files that fit each other.' },
  } as const,
});

const CutOutFormat = builder.enumType('CutOutFormat', {
  values: {
    PNG: { description: 'Without loss, with transparency.' },
    WEBP: { description: 'Smaller, with transparency.' },
    JPEG: { description: 'Needs `backgroundColor` or `backgroundImageId`, because it has no transparency. A mask beside it is a PNG.' },
  } as const,
});

const CropInput = builder.inputType('CropInput', {
  description: 'A part of the upright picture, as fractions of its width and height from the top left, within 0 to 1.',
  fields: (t) => ({ x: t.float({ required: true }), y: t.float({ required: true }), width: t.float({ required: true }), height: t.float({ required: true }) }),
});

const RemoveBackgroundInput = builder.inputType('RemoveBackgroundInput', {
  description: 'What the cut-out shall be. All of it can be left out. The longer side of a result is at most 4096 px, and no result is larger than an upload may be: a frame that would be is scaled down with its subject.',
  fields: (t) => ({
    output: t.field({ type: CutOutOutput, defaultValue: 'CUTOUT' }),
    format: t.field({ type: CutOutFormat, defaultValue: 'PNG' }),
    backgroundColor: t.string({ description: 'What lies under the subject: any CSS colour without transparency, such as "#ffffff", "teal" or "rgb(20 90 200)". Without it: nothing.' }),
    backgroundImageId: t.globalID({ for: Image, description: 'An image of yours that lies under the subject, scaled to cover the whole frame. It becomes the second input of the job. Not together with `backgroundColor`.' }),
    crop: t.field({ type: CropInput, description: 'Look only at this part of the picture: for one subject of many, or to leave away what is in the way. Without it: all of it.' }),
    trim: t.boolean({ defaultValue: true, description: 'Leave away what is empty around the subject.' }),
    padding: t.float({ defaultValue: 0.04, description: 'The margin of a trimmed picture, as a fraction of the subject\'s longer side, 0 to 1.' }),
    aspectRatio: t.string({ description: 'The shape of the result, such as "1:1" or "4:5", from "1:10" to "10:1": the frame grows around its middle, nothing of the subject is cut away.' }),
    feather: t.float({ defaultValue: 0, description: 'Pixels over which the edge fades, beyond its own softness, 0 to 50.' }),
    shadow: t.boolean({ defaultValue: false, description: 'A soft shadow below the subject.' }),
  }),
});

const CutOutModel = builder.objectRef<NonNullable<Result['model']>>('CutOutModel').implement({
  description: 'The model that found a subject.',
  fields: (t) => ({
    sha256: t.exposeString('sha256', { description: 'Of its file, to be compared with the published one.' }),
    side: t.exposeInt('side', { description: 'It looks at a square of so many pixels: 320 for U²-Net and U²-Netp, 1024 for IS-Net.' }),
  }),
});

export const RemoveBackgroundResult = builder.objectRef<Result>('RemoveBackgroundResult').implement({
  description: 'The result of a REMOVE_BACKGROUND job.',
  fields: (t) => {
    const file = (kind: 'cutout' | 'mask') =>
      t.prismaField({
        type: Image,
        nullable: true,
        description: 'Null when it was not asked for, or was deleted since.',
        resolve: (query, { outputs, kinds }, _args, { app, viewer }) => {
          const id = outputs[kinds.indexOf(kind)];
          return id ? app.db.asset.findFirst({ ...query, where: { id, ownerId: viewer.id, kind: 'IMAGE' } }) : null;
        },
      });
    return {
      cutout: file('cutout'),
      mask: file('mask'),
      coverage: t.exposeFloat('coverage', { description: 'Share of the picture that the subject covers, 0 to 1.' }),
      box: t.expose('box', { type: Box, description: 'Where the subject is.' }),
      model: t.expose('model', { type: CutOutModel, nullable: true, description: 'Null where the subject was found without one, or by the transparency that the picture had.' }),
      confidence: t.exposeFloat('confidence', { description: '0 to 1; below 0.5 somebody should look at the result.' }),
    };
  },
});

type CutOutWish = typeof RemoveBackgroundInput.$inferInput;

async function checkImage({ db }: App, viewer: Viewer, id: string, what: string): Promise<void> {
  const image = await db.asset.findFirst({ where: { id, ownerId: viewer.id, kind: 'IMAGE' }, select: { id: true } });
  if (!image) throw noImage(what);
}

/** Looks the background up once, and gives what starts a job for an image. */
async function prepare(app: App, viewer: Viewer, input: CutOutWish | null | undefined) {
  const { backgroundImageId, ...rest } = input ?? {};
  const behind = backgroundImageId ? rowId(backgroundImageId) : null;
  if (behind) await checkImage(app, viewer, behind, 'background image');
  const parameters = { ...Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== null)), onImage: behind !== null };
  return async (id: string, options: Options) => {
    await checkImage(app, viewer, id, 'image');
    return startJob(app, viewer, { operation: removeBackground, inputIds: behind ? [id, behind] : [id], parameters, options });
  };
}

builder.mutationFields((t) => ({
  removeBackground: t.prismaField({
    type: Job,
    scope: 'jobs:write',
    description: 'Cuts the subject out of a picture. The files become images of the viewer, and are in `outputs` and `result` of the job. A picture without a subject fails with NO_SUBJECT.',
    args: { imageId: t.arg.globalID({ required: true, for: Image }), input: t.arg({ type: RemoveBackgroundInput }), options: t.arg({ type: JobOptions }) },
    resolve: async (query, _root, { imageId, input, options }, { app, viewer }) => {
      const start = await prepare(app, viewer, input);
      const { id } = await start(rowId(imageId), options ?? {});
      return app.db.job.findFirstOrThrow({ ...query, where: { id, ownerId: viewer.id } });
    },
  }),
  removeBackgrounds: t.field({
    type: StartJobsPayload,
    scope: 'jobs:write',
    description: 'As `removeBackground`, one job for each image. At most 100 at a time.',
    args: { imageIds: t.arg.globalIDList({ required: true, for: Image }), input: t.arg({ type: RemoveBackgroundInput }), options: t.arg({ type: JobOptions }) },
    resolve: async (_root, { imageIds, input, options }, { app, viewer }) => startForImages(app, imageIds, options, await prepare(app, viewer, input)),
  }),
}));
