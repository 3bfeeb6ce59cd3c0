import { thumbHashToDataUri } from '../compute/placeholder.ts';
import { imageFormats, type ImageFormat } from '../compute/sniff.ts';
import type { AssetKind, Visibility } from '../database/generated/client.ts';
import { builder, rowId } from '../graphql/builder.ts';
import { UserError } from '../errors.ts';
import { downloadName } from './download-name.ts';
import { publicFileUrl } from './public.ts';
import { type ImageOrigin, originOf } from './details.ts';
import { updateImage } from './update.ts';

export const defaultUrlSeconds = 3600;
const maxUrlSeconds = 7 * 24 * 3600;
export const expiresInSentence = 'Seconds, 60 to 604800. The URL lives at least this long, and a few minutes more so that caches can keep it.';

/** How long a URL is to live, in seconds. */
export function checkExpiresIn(seconds: number): number {
  if (seconds < 60 || seconds > maxUrlSeconds) throw new UserError('INVALID_INPUT', `Expected expiresIn between 60 and ${maxUrlSeconds} seconds but received ${seconds}`);
  return seconds;
}

export const SignedUrl = builder.objectRef<{ url: string | Promise<string>; expiresAt: Date }>('SignedUrl').implement({
  scope: 'images:read',
  description: 'A URL that works without a credential until it expires. Whoever holds it can read the file.',
  fields: (t) => ({
    url: t.field({ type: 'URL', resolve: ({ url }) => url }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime', description: 'The URL works at least until then.' }),
  }),
});

export const VisibilityEnum = builder.enumType('Visibility', {
  description: 'Whether an asset has public URLs: see `setVisibility`.',
  values: {
    PRIVATE: { description: 'Only the viewer, and whoever holds a signed URL until it expires.' },
    PUBLIC: { description: 'Also whoever holds one of its public URLs. They cannot be guessed: what was never given out stays unseen.' },
  } satisfies Record<Visibility, object>,
});

/** The type in the graph of each kind of asset. */
const typenames: Record<AssetKind, string> = { IMAGE: 'Image', MODEL_3D: 'Model3D', AUDIO: 'AudioClip' };

/** The small columns, which nearly every client asks for: they come with each row, and spare the field-by-field look at what was loaded. Whole rows, metadata and all, cost a list twice the time. */
export const columns = { id: true, kind: true, filename: true, contentType: true, byteSize: true, sha256: true, createdAt: true, visibility: true, storageKey: true, width: true, height: true, format: true } as const;

export const AssetRef = builder.prismaInterface('Asset', {
  name: 'Asset',
  description: 'A stored file.',
  scope: 'images:read',
  interfaces: () => [builder.nodeInterfaceRef()],
  resolveType: ({ kind }) => typenames[kind],
  select: columns,
  fields: (t) => ({
    filename: t.string({ description: 'As the client named it, without folders.', resolve: ({ filename }) => filename }),
    contentType: t.string({ description: 'Found out from the bytes, never believed.', resolve: ({ contentType }) => contentType }),
    byteSize: t.int({ resolve: ({ byteSize }) => byteSize }),
    sha256: t.string({ description: 'SHA-256 of the bytes in hexadecimal. The same bytes uploaded twice are one asset.', resolve: ({ sha256 }) => sha256 }),
    createdAt: t.field({ type: 'DateTime', resolve: ({ createdAt }) => createdAt }),
    visibility: t.field({ type: VisibilityEnum, resolve: ({ visibility }) => visibility }),
    url: t.field({
      type: SignedUrl,
      description: 'Where to read the file as it was stored, byte for byte.',
      args: {
        expiresIn: t.arg.int({ defaultValue: defaultUrlSeconds, description: expiresInSentence }),
        download: t.arg.boolean({ defaultValue: false, description: 'Make browsers save it, under its file name; where that does not end as its type does, with an extension that does.' }),
      },
      resolve: (asset, { expiresIn, download }, { app }) => {
        const seconds = checkExpiresIn(expiresIn ?? defaultUrlSeconds);
        const expiresAt = new Date(Date.now() + seconds * 1000);
        return { url: app.storage.signedUrl(asset.storageKey, { expiresInSeconds: seconds, ...(download && { downloadAs: downloadName(asset) }) }), expiresAt };
      },
    }),
    publicUrl: t.field({
      type: 'URL',
      nullable: true,
      description: 'Where everybody can read the file as it was stored, byte for byte, with whatever the camera wrote into it; null while it is private. Stays the same for ever, for CDNs to keep. An upload is saved, not shown: to show a picture see `publicRendition`.',
      resolve: (asset, _args, { app }) => (asset.visibility === 'PUBLIC' ? publicFileUrl(app, asset) : null),
    }),
  }),
});

export const ImageFormatEnum = builder.enumType('ImageFormat', {
  description: 'A format that uploads may have.',
  values: Object.keys(imageFormats) as ImageFormat[],
});

export const Orientation = builder.enumType('Orientation', {
  values: {
    LANDSCAPE: { description: 'Wider than high.' },
    PORTRAIT: { description: 'Higher than wide.' },
    SQUARE: { description: 'Width and height are equal.' },
  },
});

interface StoredExif {
  camera: string | null;
  orientation: number;
  gps: { latitude: number; longitude: number } | null;
}

const Gps = builder.objectRef<{ latitude: number; longitude: number }>('GpsPosition').implement({
  fields: (t) => ({ latitude: t.exposeFloat('latitude', { description: 'Degrees, north is positive.' }), longitude: t.exposeFloat('longitude', { description: 'Degrees, east is positive.' }) }),
});

const Exif = builder.objectRef<StoredExif & { takenAt: Date | null }>('Exif').implement({
  description: 'What the camera wrote into the file.',
  fields: (t) => ({
    takenAt: t.expose('takenAt', { type: 'DateTime', nullable: true }),
    camera: t.exposeString('camera', { nullable: true }),
    orientation: t.exposeInt('orientation', { description: 'The EXIF orientation of the file, 1 to 8. Width, height and every measurement are of the upright picture.' }),
    gps: t.expose('gps', { type: Gps, nullable: true, description: 'Kept only where the upload asked for it with keepLocation.' }),
  }),
});

const Placeholder = builder.objectRef<{ thumbHash: string; dominantColor: string | null }>('Placeholder').implement({
  description: 'Something to show before the picture is there.',
  fields: (t) => ({
    thumbHash: t.exposeString('thumbHash', { description: 'ThumbHash in Base64, about 30 characters (https://evanw.github.io/thumbhash/).' }),
    dataUri: t.string({ description: 'The same as a small PNG, ready for an <img>.', resolve: ({ thumbHash }) => thumbHashToDataUri(thumbHash) }),
    dominantColor: t.exposeString('dominantColor', { nullable: true, description: 'The heaviest colour, such as "#c02030".' }),
  }),
});

const Origin = builder.objectRef<ImageOrigin>('ImageOrigin').implement({
  description: 'How a picture came to be that was generated.',
  fields: (t) => ({
    provider: t.exposeString('provider'),
    model: t.exposeString('model', { description: '"darkroom-procedural-…" is no AI model: a program drew the picture.' }),
    prompt: t.exposeString('prompt', { description: 'As the viewer wrote it. It is searched like a caption.' }),
    negativePrompt: t.exposeString('negativePrompt', { nullable: true }),
    revisedPrompt: t.exposeString('revisedPrompt', { nullable: true, description: 'What the provider made of the prompt, where it says so.' }),
    seed: t.exposeInt('seed', { nullable: true, description: 'The same seed, prompt, size and model give the same or nearly the same picture again. Null where the provider knows no seeds.' }),
    style: t.exposeString('style', { nullable: true }),
  }),
});

export const Image = builder.prismaNode('Asset', {
  variant: 'Image',
  description: 'A picture.',
  scope: 'images:read',
  select: columns,
  interfaces: [AssetRef],
  nullable: true,
  id: { field: 'id' },
  findUnique: (id, { viewer }) => ({ id: rowId({ id }), ownerId: viewer.id, kind: 'IMAGE' }),
  fields: (t) => ({
    width: t.int({ description: 'Pixels, of the upright picture.', resolve: (image) => image.width! }),
    height: t.int({ description: 'Pixels, of the upright picture.', resolve: (image) => image.height! }),
    format: t.field({ type: ImageFormatEnum, resolve: (image) => image.format as ImageFormat }),
    orientation: t.field({
      type: Orientation,
      resolve: ({ width, height }) => (width === height ? 'SQUARE' : width! > height! ? 'LANDSCAPE' : 'PORTRAIT'),
    }),
    frames: t.int({ description: 'More than 1 for an animation.', select: { frames: true }, resolve: (image) => image.frames ?? 1 }),
    damaged: t.exposeBoolean('damaged', { description: 'Part of the file is missing or wrong; what could be decoded is used.' }),
    exif: t.field({
      type: Exif,
      nullable: true,
      select: { exif: true, takenAt: true },
      resolve: ({ exif, takenAt }) => (exif ? { ...(exif as unknown as StoredExif), takenAt } : null),
    }),
    origin: t.field({ type: Origin, nullable: true, description: 'Null for a picture that was not generated.', select: { kind: true, details: true }, resolve: originOf }),
    title: t.exposeString('title', { nullable: true }),
    altText: t.exposeString('altText', { nullable: true }),
    metadata: t.expose('metadata', { type: 'JSON', nullable: true, description: 'Whatever the app keeps with the picture. Not searched.' }),
    userTags: t.stringList({
      description: 'Tags that the viewer gave. Those of the analysis are in `analysis.tags`.',
      select: { tags: { where: { source: 'user' }, orderBy: { name: 'asc' }, select: { name: true } } },
      resolve: (image) => image.tags.map((tag) => tag.name),
    }),
    placeholder: t.field({
      type: Placeholder,
      nullable: true,
      description: 'Null until the picture is analysed.',
      select: { thumbHash: true, analyses: { select: { facts: true }, orderBy: { analyzedAt: 'desc' }, take: 1 } },
      resolve: ({ thumbHash, analyses }) => {
        const facts = analyses[0]?.facts as { colors?: { palette: { hex: string }[] } } | undefined;
        return thumbHash ? { thumbHash, dominantColor: facts?.colors?.palette[0]?.hex ?? null } : null;
      },
    }),
  }),
});

builder.queryField('image', (t) =>
  t.prismaField({
    type: Image,
    scope: 'images:read',
    nullable: true,
    description: 'One picture of the viewer; null when there is none with this id.',
    args: { id: t.arg.globalID({ required: true, for: Image }) },
    resolve: (query, _root, { id }, { app, viewer }) => app.db.asset.findFirst({ ...query, where: { id: rowId(id), ownerId: viewer.id, kind: 'IMAGE' } }),
  }),
);

const ImageUpdate = builder.inputType('ImageUpdate', {
  description: 'What to change. A field that is left out stays; null takes the value away.',
  fields: (t) => ({
    title: t.string({ description: 'At most 300 characters.' }),
    altText: t.string({ description: 'At most 1000 characters.' }),
    tags: t.stringList({ description: 'The viewer\'s tags, all of them: at most 50 of 60 characters.' }),
    metadata: t.field({ type: 'JSON', description: 'At most 16 KB.' }),
  }),
});

builder.mutationField('updateImage', (t) =>
  t.prismaField({
    type: Image,
    scope: 'images:write',
    description: 'Changes what the viewer says about a picture. Search knows it at once.',
    args: { id: t.arg.globalID({ required: true, for: Image }), input: t.arg({ type: ImageUpdate, required: true }) },
    resolve: async (query, _root, { id, input }, { app, viewer }) => {
      await updateImage(app, viewer, rowId(id), input);
      return app.db.asset.findFirstOrThrow({ ...query, where: { id: rowId(id), ownerId: viewer.id } });
    },
  }),
);
