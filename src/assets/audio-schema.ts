import { queryFromInfo } from '@pothos/plugin-prisma';
import { audioFormats, type AudioFormat } from '../compute/audio.ts';
import { builder, rowId } from '../graphql/builder.ts';
import { newestFirst, nodePaths } from '../keyset.ts';
import { audioDetails } from './details.ts';
import { AssetRef, columns } from './schema.ts';

export const AudioFormatEnum = builder.enumType('AudioFormat', {
  description: 'A format that recordings may have.',
  values: Object.keys(audioFormats) as AudioFormat[],
});

export const AudioClip = builder.prismaNode('Asset', {
  variant: 'AudioClip',
  description: 'A recording.',
  scope: 'images:read',
  select: columns,
  interfaces: [AssetRef],
  nullable: true,
  id: { field: 'id' },
  findUnique: (id, { viewer }) => ({ id: rowId({ id }), ownerId: viewer.id, kind: 'AUDIO' }),
  fields: (t) => {
    const facts = { select: { details: true } } as const;
    return {
      format: t.field({ ...facts, type: AudioFormatEnum, resolve: ({ details }) => audioDetails.parse(details).format }),
      codec: t.string({ ...facts, description: 'How the sound is coded, such as "Opus" or "PCM".', resolve: ({ details }) => audioDetails.parse(details).codec }),
      durationSeconds: t.float({ ...facts, nullable: true, description: 'Null where the file does not say, as what browsers record.', resolve: ({ details }) => audioDetails.parse(details).durationSeconds }),
      sampleRate: t.int({ ...facts, description: 'Samples of one channel in a second, in Hz.', resolve: ({ details }) => audioDetails.parse(details).sampleRate }),
      channels: t.int({ ...facts, description: '1 for mono, 2 for stereo, as the file says.', resolve: ({ details }) => audioDetails.parse(details).channels }),
    };
  },
});

const AudioClipConnection = builder.connectionObject(
  {
    type: AudioClip,
    name: 'AudioClipConnection',
    description: 'Recordings, the newest first.',
    fields: (t) => ({
      totalCount: t.int({ description: 'Of all pages together.', resolve: (connection) => (connection as unknown as { countAll(): Promise<number> }).countAll() }),
    }),
  },
  { name: 'AudioClipEdge' },
);

builder.queryFields((t) => ({
  audioClip: t.prismaField({
    type: AudioClip,
    nullable: true,
    scope: 'images:read',
    description: 'One recording of the viewer; null when there is none with this id.',
    args: { id: t.arg.globalID({ required: true, for: AudioClip }) },
    resolve: (query, _root, { id }, { app, viewer }) => app.db.asset.findFirst({ ...query, where: { id: rowId(id), ownerId: viewer.id, kind: 'AUDIO' } }),
  }),
  audioClips: t.field({
    type: AudioClipConnection,
    scope: 'images:read',
    description: 'The viewer\'s recordings, the newest first.',
    args: t.arg.connectionArgs(),
    resolve: async (_root, args, context, info) => {
      const { app: { db }, viewer } = context;
      const where = { ownerId: viewer.id, kind: 'AUDIO' as const };
      const query = queryFromInfo({ context, info, paths: nodePaths });
      const connection = await newestFirst(args, ({ where: behind, ...page }) => db.asset.findMany({ ...query, where: { AND: [where, behind] }, ...page }));
      return { ...connection, countAll: () => db.asset.count({ where }) } as never;
    },
  }),
}));
