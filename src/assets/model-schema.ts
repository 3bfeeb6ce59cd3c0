import { queryFromInfo } from '@pothos/plugin-prisma';
import { builder, rowId } from '../graphql/builder.ts';
import { newestFirst, nodePaths } from '../keyset.ts';
import { model3dDetails } from './details.ts';
import { AssetRef, columns, Image } from './schema.ts';

export const Model3DFormat = builder.enumType('Model3DFormat', { values: { GLB: { description: 'Binary glTF 2.0: one file with its textures.' } } as const });

const Model3DShape = builder.enumType('Model3DShape', {
  values: {
    INFLATED: { description: 'The silhouette of the subject blown up to a rounded, closed body, with the picture in front and its mirror image behind. No reconstruction: what the picture does not show is not known.' },
    RELIEF: { description: 'A closed plate with the picture on it, from which bright things and fine structure stand out.' },
    RECONSTRUCTED: { description: 'What a learned model takes the whole thing to be.' },
  } as const,
});

export const Model3D = builder.prismaNode('Asset', {
  variant: 'Model3D',
  description: 'A 3D model, made from a picture. It is centred on the origin, y is up, its front looks along +z.',
  scope: 'images:read',
  select: columns,
  interfaces: [AssetRef],
  nullable: true,
  id: { field: 'id' },
  findUnique: (id, { viewer }) => ({ id: rowId({ id }), ownerId: viewer.id, kind: 'MODEL_3D' }),
  fields: (t) => ({
    format: t.field({ type: Model3DFormat, select: { details: true }, resolve: ({ details }) => model3dDetails.parse(details).format }),
    shape: t.field({ type: Model3DShape, select: { details: true }, resolve: ({ details }) => model3dDetails.parse(details).shape }),
    vertexCount: t.int({ select: { details: true }, resolve: ({ details }) => model3dDetails.parse(details).vertexCount }),
    faceCount: t.int({ description: 'Triangles.', select: { details: true }, resolve: ({ details }) => model3dDetails.parse(details).faceCount }),
    thumbnail: t.prismaField({
      type: Image,
      nullable: true,
      description: 'What it looks like, from the front and a little from one side: 512 × 512 px, transparent around it. Null when it could not be drawn, or was deleted since.',
      select: { details: true },
      resolve: (query, { details }, _args, { app, viewer }) => {
        const { thumbnailId } = model3dDetails.parse(details);
        return thumbnailId ? app.db.asset.findFirst({ ...query, where: { id: thumbnailId, ownerId: viewer.id, kind: 'IMAGE' } }) : null;
      },
    }),
  }),
});

const Model3DConnection = builder.connectionObject(
  {
    type: Model3D,
    name: 'Model3DConnection',
    description: '3D models, the newest first.',
    fields: (t) => ({
      totalCount: t.int({ description: 'Of all pages together.', resolve: (_connection, _args, { app, viewer }) => app.db.asset.count({ where: { ownerId: viewer.id, kind: 'MODEL_3D' } }) }),
    }),
  },
  { name: 'Model3DEdge' },
);

builder.queryField('models', (t) =>
  t.field({
    type: Model3DConnection,
    scope: 'images:read',
    description: 'The viewer\'s 3D models, the newest first.',
    args: t.arg.connectionArgs(),
    resolve: (_root, args, context, info) => {
      const query = queryFromInfo({ context, info, paths: nodePaths });
      return newestFirst(args, ({ where, ...page }) => context.app.db.asset.findMany({ ...query, where: { AND: [where, { ownerId: context.viewer.id, kind: 'MODEL_3D' }] }, ...page })) as never;
    },
  }),
);
