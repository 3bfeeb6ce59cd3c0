import { Model3D, Model3DFormat } from '../../assets/model-schema.ts';
import { Image } from '../../assets/schema.ts';
import { mustBeThere, UserError, type FailureCode } from '../../errors.ts';
import { builder, rowId } from '../../graphql/builder.ts';
import { JobOptions } from '../../jobs/options.ts';
import { startJob } from '../../jobs/start.ts';
import { FailureCodeEnum, Job } from '../../jobs/types.ts';
import { pictureOf } from './make-models.ts';
import { model3d } from './operation.ts';
import type { PictureFailure, Result } from './parameters.ts';

const Model3DShapeChoice = builder.enumType('Model3DShapeChoice', {
  values: {
    AUTO: { description: 'INFLATED where a subject stands out clearly, RELIEF otherwise.' },
    INFLATED: { description: 'A rounded silhouette, not a reconstruction. Fails with NO_SUBJECT where there is none.' },
    RELIEF: { description: 'A plate from which bright things and fine structure stand out.' },
  } as const,
});

const Model3DInput = builder.inputType('Model3DInput', {
  description: 'What the models shall be. All of it can be left out.',
  fields: (t) => ({
    format: t.field({ type: Model3DFormat, defaultValue: 'GLB' }),
    shape: t.field({ type: Model3DShapeChoice, defaultValue: 'AUTO', description: 'What the local provider makes; a learned model decides by itself.' }),
    faces: t.int({ defaultValue: 20_000, description: 'Triangles at the most, 500 to 100000. A learned model may not heed it.' }),
    textureSize: t.int({ defaultValue: 1024, description: 'Longer side of the texture in pixels at the most, 128 to 2048. The picture is never enlarged. A learned model may not heed it.' }),
    depth: t.float({ defaultValue: 1, description: 'How thick, 0.1 to 4. At 1 INFLATED is half as thick as wide (2 makes a ball of a disc), and RELIEF stands out by a sixteenth of its longer side. Local provider only.' }),
  }),
});

/** What became of one picture, with its job and place, by which the picture is found. */
type Outcome = { jobId: string; index: number } & ({ modelId: string } | { failure: PictureFailure });

const place = 'The place of the picture in `imageIds`, from 0.';

const CreatedModel3D = builder.objectRef<Extract<Outcome, { modelId: string }>>('CreatedModel3D').implement({
  description: 'A picture that became a model.',
  fields: (t) => ({
    index: t.exposeInt('index', { description: place }),
    model: t.prismaField({
      type: Model3D,
      nullable: true,
      description: 'Null when it was deleted.',
      resolve: (query, { modelId }, _args, { app, viewer }) => app.db.asset.findFirst({ ...query, where: { id: modelId, ownerId: viewer.id, kind: 'MODEL_3D' } }),
    }),
  }),
});

const FailedModel3D = builder.objectRef<Extract<Outcome, { failure: PictureFailure }>>('FailedModel3D').implement({
  description: 'A picture that became none; the others of the job are not touched by it.',
  fields: (t) => ({
    index: t.exposeInt('index', { description: place }),
    image: t.prismaField({
      type: Image,
      nullable: true,
      description: 'Null when it was deleted.',
      resolve: (query, { jobId, index }, _args, { app, viewer }) => app.db.asset.findFirst({ ...query, where: { ownerId: viewer.id, kind: 'IMAGE', inputOf: { some: { jobId, position: index } } } }),
    }),
    code: t.field({ type: FailureCodeEnum, resolve: ({ failure }): FailureCode => failure.code }),
    message: t.string({ resolve: ({ failure }) => failure.message }),
    hint: t.string({ nullable: true, description: 'What helps.', resolve: ({ failure }) => failure.hint }),
    retryable: t.boolean({ description: 'Whether the same picture may succeed at another time.', resolve: ({ failure }) => failure.retryable }),
  }),
});

const Model3DOutcome = builder.unionType('Model3DOutcome', {
  types: [CreatedModel3D, FailedModel3D],
  resolveType: (outcome) => ('modelId' in outcome ? CreatedModel3D : FailedModel3D),
});

export const Model3DResult = builder.objectRef<Result & { jobId: string }>('Model3DResult').implement({
  description: 'The result of a MODEL_3D job. The files are in `outputs` of the job: for each picture the thumbnail and then the model.',
  fields: (t) => ({
    models: t.field({
      type: [Model3DOutcome],
      description: 'What became of each picture, in the order of `imageIds`. The job fails only when none became a model.',
      resolve: ({ jobId, pictures }): Outcome[] => pictures.map((picture, index) => ({ jobId, index, ...picture })),
    }),
  }),
});

builder.prismaObjectField(Model3D, 'image', (t) =>
  t.prismaField({
    type: Image,
    nullable: true,
    description: 'The picture it was made from. Null when that was deleted.',
    select: { producedById: true, position: true },
    resolve: (query, { producedById, position }, _args, { app, viewer }) =>
      producedById && position !== null
        ? app.db.asset.findFirst({ ...query, where: { ownerId: viewer.id, inputOf: { some: { jobId: producedById, position: pictureOf(position) } } } })
        : null,
  }),
);

builder.mutationField('createModel3d', (t) =>
  t.prismaField({
    type: Job,
    scope: 'jobs:write',
    description:
      'Makes a 3D model of each of 1 to 25 pictures, in one job. Each model is in `outputs` as soon as it exists, together with its thumbnail, and stays when the job is cancelled. Without another provider it is a rounded silhouette or a relief, not a reconstruction. A picture that has transparency, such as a cut-out, keeps its own outline.',
    args: { imageIds: t.arg.globalIDList({ required: true, for: Image }), input: t.arg({ type: Model3DInput }), options: t.arg({ type: JobOptions }) },
    resolve: async (query, _root, { imageIds, input, options }, { app, viewer }) => {
      const { min, max } = model3d.inputs;
      if (imageIds.length < min || imageIds.length > max) throw new UserError('INVALID_INPUT', `Expected ${min} to ${max} imageIds but received ${imageIds.length}`);
      const ids = imageIds.map(rowId);
      mustBeThere('image', 'imageIds', ids, await app.db.asset.findMany({ where: { id: { in: ids }, ownerId: viewer.id, kind: 'IMAGE' }, select: { id: true } }));
      const twice = ids.findIndex((id, index) => ids.indexOf(id) < index);
      if (twice >= 0) throw new UserError('INVALID_INPUT', `Expected every image once but the id at place ${twice} of imageIds comes again`);
      const parameters = Object.fromEntries(Object.entries(input ?? {}).filter(([, value]) => value !== null));
      const { id } = await startJob(app, viewer, { operation: model3d, inputIds: ids, parameters, options: options ?? {} });
      return app.db.job.findFirstOrThrow({ ...query, where: { id, ownerId: viewer.id } });
    },
  }),
);
