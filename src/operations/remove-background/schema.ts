import { Image } from '../../assets/schema.ts';
import { UserError } from '../../errors.ts';
import { builder, rowId } from '../../graphql/builder.ts';
import { JobOptions } from '../../jobs/options.ts';
import { startJob } from '../../jobs/start.ts';
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

const CutOutFormat = builder.enumType('CutOutFormat', { values: ['PNG', 'WEBP'] as const });

const RemoveBackgroundInput = builder.inputType('RemoveBackgroundInput', {
  description: 'What the cut-out shall be. All of it can be left out.',
  fields: (t) => ({
    output: t.field({ type: CutOutOutput, defaultValue: 'CUTOUT' }),
    format: t.field({ type: CutOutFormat, defaultValue: 'PNG', description: 'Both keep transparency; WEBP is smaller.' }),
    backgroundColor: t.string({ description: 'What lies under the subject, such as "#ffffff". Without it: nothing.' }),
    trim: t.boolean({ defaultValue: true, description: 'Leave away what is empty around the subject.' }),
    padding: t.float({ defaultValue: 0.04, description: 'The margin of a trimmed picture, as a fraction of the subject\'s longer side, 0 to 1.' }),
    feather: t.float({ defaultValue: 0, description: 'Pixels over which the edge fades, beyond its own softness, 0 to 50.' }),
    shadow: t.boolean({ defaultValue: false, description: 'A soft shadow below the subject.' }),
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
      confidence: t.exposeFloat('confidence', { description: '0 to 1; below 0.5 somebody should look at the result.' }),
    };
  },
});

builder.mutationField('removeBackground', (t) =>
  t.prismaField({
    type: Job,
    description: 'Cuts the subject out of a picture. The files become images of the viewer, and are in `outputs` and `result` of the job. A picture without a subject fails with NO_SUBJECT.',
    args: { imageId: t.arg.globalID({ required: true, for: Image }), input: t.arg({ type: RemoveBackgroundInput }), options: t.arg({ type: JobOptions }) },
    resolve: async (query, _root, { imageId, input, options }, { app, viewer }) => {
      const id = rowId(imageId);
      const image = await app.db.asset.findFirst({ where: { id, ownerId: viewer.id, kind: 'IMAGE' }, select: { id: true } });
      if (!image) throw new UserError('NOT_FOUND', 'There is no image with this id');
      const parameters = Object.fromEntries(Object.entries(input ?? {}).filter(([, value]) => value !== null));
      const job = await startJob(app, viewer, { operation: removeBackground, inputIds: [id], parameters, options: options ?? {} });
      return app.db.job.findFirstOrThrow({ ...query, where: { id: job.id, ownerId: viewer.id } });
    },
  }),
);
