import { builder } from '../graphql/builder.ts';
import { UserError } from '../errors.ts';
import { imageFormats } from '../compute/sniff.ts';
import { defaultQuality, type ImageSize, type RenditionFit, type RenditionWish, signRendition, type SignedRendition } from './rendition.ts';
import { Image } from './schema.ts';

const maxWidths = 20;
const defaultExpiresIn = 86_400;

const Fit = builder.enumType('RenditionFit', {
  description: 'How a picture comes to the size asked for. It is never enlarged: where it has too few pixels, the rendition is smaller and keeps the proportions.',
  values: {
    INSIDE: { description: 'The whole picture, as large as fits. Its proportions stay.' },
    COVER: { description: 'Fills width and height; what stands out is cut off, evenly from both sides or around `focus`.' },
    CONTAIN: { description: 'The whole picture in the middle of width and height. The rest is transparent where the picture can be, else white.' },
  } satisfies Record<RenditionFit, object>,
});

const Format = builder.enumType('RenditionFormat', {
  values: {
    AUTO: { description: 'The smallest that the browser shows, as its header Accept says: AVIF, else WebP, else JPEG, or PNG where the picture has transparency.' },
    JPEG: { description: 'Everybody shows it. What is transparent becomes white.' },
    WEBP: { description: 'About a sixth smaller than JPEG.' },
    AVIF: { description: 'About a third smaller than JPEG; the first request waits for it, up to seconds where it is large.' },
    PNG: { description: 'Without loss, and large for photographs.' },
  } satisfies Record<SignedRendition['format'], object>,
});

const SignedRenditionType = builder.objectRef<SignedRendition>('SignedRendition').implement({
  description: 'A smaller version of a picture: upright, sRGB, without metadata; of an animation the first frame. It is made when its URL is fetched for the first time, and kept.',
  fields: (t) => ({
    url: t.expose('url', { type: 'URL', description: 'Works without a credential until it expires, in an `<img>` as well. Stays the same for a quarter of its life, up to six hours, so browsers keep what it gave.' }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime', description: 'The URL works until then, or until the image is deleted.' }),
    width: t.exposeInt('width', { description: 'Pixels, exactly.' }),
    height: t.exposeInt('height', { description: 'Pixels, exactly.' }),
    contentType: t.string({ nullable: true, description: 'Null where the format is AUTO: the request decides.', resolve: ({ format }) => (format === 'AUTO' ? null : imageFormats[format].contentType) }),
  }),
});

const Crop = builder.inputType('RenditionCrop', {
  description: 'A part of the upright picture in fractions of its width and height, as the boxes of the analysis are. A picture within the picture: everything else about the rendition is as if there were no more.',
  fields: (t) => ({
    x: t.float({ required: true, description: 'Left edge, 0 to 1.' }),
    y: t.float({ required: true, description: 'Upper edge, 0 to 1.' }),
    width: t.float({ required: true, description: 'Above 0; x + width at most 1.' }),
    height: t.float({ required: true, description: 'Above 0; y + height at most 1.' }),
  }),
});

const Focus = builder.inputType('RenditionFocus', {
  description: 'What matters in the upright picture: a point in fractions of its width and height, such as the middle of a face.',
  fields: (t) => ({ x: t.float({ required: true, description: '0 is left, 1 is right.' }), y: t.float({ required: true, description: '0 is above, 1 is below.' }) }),
});

const quality = `1 to 100, on JPEG's scale: AVIF takes the number that looks like it. PNG is without loss and ignores it.`;
const expiresIn = 'Seconds, 60 to 604800. The URL lives at least this long.';

builder.prismaObjectField(Image, 'rendition', (t) =>
  t.field({
    type: SignedRenditionType,
    description: 'The picture at another size or in another format, or a part of it. Asking costs nothing, so ask for as many as the page needs.',
    select: { id: true, width: true, height: true },
    args: {
      width: t.arg.int({ description: 'Pixels. One of width and height may be left out; it follows from the picture.' }),
      height: t.arg.int({ description: 'Pixels.' }),
      fit: t.arg({ type: Fit, defaultValue: 'INSIDE' }),
      crop: t.arg({ type: Crop, description: 'Only this part of the picture.' }),
      focus: t.arg({ type: Focus, description: 'With COVER: this point stays as near to the middle as can be. Without it: the middle of the picture.' }),
      format: t.arg({ type: Format, defaultValue: 'AUTO' }),
      quality: t.arg.int({ defaultValue: defaultQuality, description: quality }),
      expiresIn: t.arg.int({ defaultValue: defaultExpiresIn, description: expiresIn }),
      download: t.arg.boolean({ defaultValue: false, description: 'Make browsers save it, under the name of the file with the extension of the format.' }),
    },
    resolve: (image, args, { app }) =>
      signRendition(app, sizeOf(image), wishOf(args, 'AUTO'), { expiresInSeconds: args.expiresIn ?? defaultExpiresIn, download: args.download ?? false }),
  }),
);

builder.prismaObjectField(Image, 'srcSet', (t) =>
  t.field({
    type: [SignedRenditionType],
    description: 'The whole picture at several widths, for `<img srcset>` with the descriptor `w`. Widths beyond the picture\'s own come to the same rendition, which is given once.',
    select: { id: true, width: true, height: true },
    args: {
      widths: t.arg.intList({ required: true, description: `Pixels, 1 to ${maxWidths} of them.` }),
      crop: t.arg({ type: Crop, description: 'Only this part of the picture.' }),
      format: t.arg({ type: Format, defaultValue: 'AUTO' }),
      quality: t.arg.int({ defaultValue: defaultQuality, description: quality }),
      expiresIn: t.arg.int({ defaultValue: defaultExpiresIn, description: expiresIn }),
    },
    resolve: (image, { widths, ...args }, { app }) =>
      eachWidth(widths, (width) => signRendition(app, sizeOf(image), wishOf({ ...args, width }, 'AUTO'), { expiresInSeconds: args.expiresIn ?? defaultExpiresIn, download: false })),
  }),
);

/** An image's row has its size. */
const sizeOf = ({ id, width, height }: { id: string; width: number | null; height: number | null }): ImageSize => ({ id, width: width!, height: height! });

/** What is left out or null is the default. */
function wishOf({ width, height, fit, crop, focus, format, quality }: { [Key in keyof RenditionWish]?: RenditionWish[Key] | null }, defaultFormat: RenditionWish['format']): RenditionWish {
  return { width: width ?? null, height: height ?? null, fit: fit ?? 'INSIDE', crop: crop ?? null, focus: focus ?? null, format: format ?? defaultFormat, quality: quality ?? defaultQuality };
}

function eachWidth<Rendition extends { width: number }>(widths: readonly number[], sign: (width: number) => Rendition): Rendition[] {
  if (widths.length < 1 || widths.length > maxWidths) throw new UserError('INVALID_INPUT', `Expected 1 to ${maxWidths} widths for srcSet but received ${widths.length}`);
  return [...new Map(widths.map(sign).map((rendition) => [rendition.width, rendition])).values()];
}
