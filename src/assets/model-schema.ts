import { builder, rowId } from '../graphql/builder.ts';
import { model3dDetails } from './details.ts';
import { AssetRef, Image } from './schema.ts';

const Model3DFormat = builder.enumType('Model3DFormat', { values: { GLB: { description: 'Binary glTF 2.0: one file with its textures.' } } as const });

export const Model3D = builder.prismaNode('Asset', {
  variant: 'Model3D',
  description: 'A 3D model.',
  scope: 'images:read',
  select: { id: true, kind: true },
  interfaces: [AssetRef],
  nullable: true,
  id: { field: 'id' },
  findUnique: (id, { viewer }) => ({ id: rowId({ id }), ownerId: viewer.id, kind: 'MODEL_3D' }),
  fields: (t) => ({
    format: t.field({ type: Model3DFormat, select: { details: true }, resolve: ({ details }) => model3dDetails.parse(details).format }),
    vertexCount: t.int({ select: { details: true }, resolve: ({ details }) => model3dDetails.parse(details).vertexCount }),
    faceCount: t.int({ description: 'Triangles.', select: { details: true }, resolve: ({ details }) => model3dDetails.parse(details).faceCount }),
    thumbnail: t.prismaField({
      type: Image,
      nullable: true,
      description: 'What it looks like. Null when that image was deleted.',
      select: { details: true },
      resolve: (query, { details }, _args, { app, viewer }) => {
        const { thumbnailId } = model3dDetails.parse(details);
        return thumbnailId ? app.db.asset.findFirst({ ...query, where: { id: thumbnailId, ownerId: viewer.id, kind: 'IMAGE' } }) : null;
      },
    }),
  }),
});
