import { builder, rowId } from '../graphql/builder.ts';
import { audioDetails } from './details.ts';
import { AssetRef } from './schema.ts';

export const AudioClip = builder.prismaNode('Asset', {
  variant: 'AudioClip',
  description: 'A recording.',
  scope: 'images:read',
  select: { id: true, kind: true },
  interfaces: [AssetRef],
  nullable: true,
  id: { field: 'id' },
  findUnique: (id, { viewer }) => ({ id: rowId({ id }), ownerId: viewer.id, kind: 'AUDIO' }),
  fields: (t) => ({
    durationSeconds: t.float({ select: { details: true }, resolve: ({ details }) => audioDetails.parse(details).durationSeconds }),
  }),
});
