import { imageFormats } from '../compute/sniff.ts';
import { UserError } from '../errors.ts';
import { asSent, builder, ErrorCodeEnum, rowId } from '../graphql/builder.ts';
import { maxPageSize } from '../keyset.ts';
import { AudioClip } from './audio-schema.ts';
import { Model3D } from './model-schema.ts';
import { publicRendition, type PublicRendition } from './public.ts';
import { eachWidth, Format, renditionArgs, sizeOf, srcSetArgs, wishOf } from './rendition-inputs.ts';
import { AssetRef, Image, VisibilityEnum } from './schema.ts';
import { setVisibility } from './visibility.ts';

const PublicRenditionType = builder.objectRef<PublicRendition>('PublicRendition').implement({
  description: 'A smaller version of a public picture, as `SignedRendition` is, for everybody.',
  fields: (t) => ({
    url: t.expose('url', { type: 'URL', description: 'Stays the same for ever, for CDNs to keep, and works while the image is public.' }),
    width: t.exposeInt('width', { description: 'Pixels, exactly.' }),
    height: t.exposeInt('height', { description: 'Pixels, exactly.' }),
    contentType: t.string({ nullable: true, description: 'Null where the format is AUTO: the request decides.', resolve: ({ format }) => (format === 'AUTO' ? null : imageFormats[format].contentType) }),
  }),
});
const publicFormat = 'With AUTO the CDN must keep an answer for each Accept, as the header Vary says; many do not, and would show an AVIF to who cannot.';

builder.prismaObjectField(Image, 'publicRendition', (t) =>
  t.field({
    type: PublicRenditionType,
    nullable: true,
    description: 'Where everybody sees the picture at another size or in another format; null while it is private. Camera and place are not in it.',
    args: { ...renditionArgs, format: t.arg({ type: Format, defaultValue: 'WEBP', description: publicFormat }) },
    resolve: (image, args, { app }) => (image.visibility === 'PUBLIC' ? publicRendition(app, sizeOf(image), wishOf(args, 'WEBP')) : null),
  }),
);

builder.prismaObjectField(Image, 'publicSrcSet', (t) =>
  t.field({
    type: [PublicRenditionType],
    description: 'As `srcSet`, for everybody; empty while the picture is private.',
    args: { ...srcSetArgs, format: t.arg({ type: Format, defaultValue: 'WEBP', description: publicFormat }) },
    resolve: (image, { widths, ...args }, { app }) => (image.visibility === 'PUBLIC' ? eachWidth(widths, (width) => publicRendition(app, sizeOf(image), wishOf({ ...args, width }, 'WEBP'))) : []),
  }),
);

const AssetRefusal = builder.objectRef<{ id: string }>('AssetRefusal').implement({
  description: 'Why nothing was done to one of the ids.',
  fields: (t) => ({
    id: t.exposeID('id', { description: 'The id as it was sent.' }),
    code: t.field({ type: ErrorCodeEnum, resolve: () => 'NOT_FOUND' as const }),
    message: t.string({ resolve: () => 'There is no file with this id' }),
  }),
});

const SetVisibilityPayload = builder.objectRef<{ assetIds: string[]; refusals: { id: string }[] }>('SetVisibilityPayload').implement({
  description: 'An id that is not there does not spoil the others: each is an asset or a refusal.',
  fields: (t) => ({
    assets: t.field({
      type: [AssetRef],
      description: 'As they are now.',
      resolve: async ({ assetIds }, _args, { app, viewer }) => {
        const assets = await app.db.asset.findMany({ where: { id: { in: assetIds }, ownerId: viewer.id } });
        return assetIds.flatMap((id) => assets.find((asset) => asset.id === id) ?? []);
      },
    }),
    refusals: t.expose('refusals', { type: [AssetRefusal] }),
  }),
});

builder.mutationField('setVisibility', (t) =>
  t.field({
    type: SetVisibilityPayload,
    scope: 'images:write',
    description:
      'Makes files public or private again, at most 100 at a time. Private again means that this server knows their public URLs no more, at once; copies in CDNs and browsers live on for PUBLIC_MAX_AGE and a minute (an hour, where it is not set), unless you purge them. Public again means the same URLs.',
    args: {
      ids: t.arg.globalIDList({ required: true, for: [Image, Model3D, AudioClip], description: 'Of images, 3D models and recordings.' }),
      visibility: t.arg({ type: VisibilityEnum, required: true }),
    },
    resolve: async (_root, { ids, visibility }, { app, viewer }) => {
      if (ids.length > maxPageSize) throw new UserError('INVALID_INPUT', `Expected at most ${maxPageSize} ids but received ${ids.length}`);
      const rows = new Map(ids.map((id) => [asSent(id), rowId(id)]));
      const changed = new Set(await setVisibility(app, viewer, [...new Set(rows.values())], visibility));
      return { assetIds: [...new Set(rows.values())].filter((id) => changed.has(id)), refusals: [...rows].filter(([, id]) => !changed.has(id)).map(([id]) => ({ id })) };
    },
  }),
);
