import { builder } from '../graphql/builder.ts';
import { UserError } from '../errors.ts';
import { imageFormats } from '../compute/sniff.ts';
import { defaultQuality, type RenditionFit, signRendition, type SignedRendition } from './rendition.ts';
import { Image } from './schema.ts';

const maxWidths = 20;
const defaultExpiresIn = 86_400;

const Fit = builder.enumType('RenditionFit', {
  description: 'How a picture comes to the size asked for. It is never enlarged: where it has too few pixels, the rendition is smaller and keeps the proportions.',
  values: {
    INSIDE: { description: 'The whole picture, as large as fits. Its proportions stay.' },
    COVER: { description: 'Fills width and height; what stands out is cut off evenly from both sides.' },
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

const quality = `1 to 100, on JPEG's scale: AVIF takes the number that looks like it. PNG is without loss and ignores it.`;
const expiresIn = 'Seconds, 60 to 604800. The URL lives at least this long.';

builder.prismaObjectField(Image, 'rendition', (t) =>
  t.field({
    type: SignedRenditionType,
    description: 'The picture at another size or in another format. Asking costs nothing, so ask for as many as the page needs.',
    select: { id: true, width: true, height: true },
    args: {
      width: t.arg.int({ description: 'Pixels. One of width and height may be left out; it follows from the picture.' }),
      height: t.arg.int({ description: 'Pixels.' }),
      fit: t.arg({ type: Fit, defaultValue: 'INSIDE' }),
      format: t.arg({ type: Format, defaultValue: 'AUTO' }),
      quality: t.arg.int({ defaultValue: defaultQuality, description: quality }),
      expiresIn: t.arg.int({ defaultValue: defaultExpiresIn, description: expiresIn }),
      download: t.arg.boolean({ defaultValue: false, description: 'Make browsers save it, under the name of the file with the extension of the format.' }),
    },
    resolve: ({ id, width, height }, args, { app }) =>
      signRendition(app, { id, width: width!, height: height! }, {
        width: args.width ?? null,
        height: args.height ?? null,
        fit: args.fit ?? 'INSIDE',
        format: args.format ?? 'AUTO',
        quality: args.quality ?? defaultQuality,
        expiresInSeconds: args.expiresIn ?? defaultExpiresIn,
        download: args.download ?? false,
      }),
  }),
);

builder.prismaObjectField(Image, 'srcSet', (t) =>
  t.field({
    type: [SignedRenditionType],
    description: 'The whole picture at several widths, for `<img srcset>` with the descriptor `w`. Widths beyond the picture\'s own come to the same rendition, which is given once.',
    select: { id: true, width: true, height: true },
    args: {
      widths: t.arg.intList({ required: true, description: `Pixels, 1 to ${maxWidths} of them.` }),
      format: t.arg({ type: Format, defaultValue: 'AUTO' }),
      quality: t.arg.int({ defaultValue: defaultQuality, description: quality }),
      expiresIn: t.arg.int({ defaultValue: defaultExpiresIn, description: expiresIn }),
    },
    resolve: ({ id, width, height }, args, { app }) => {
      if (args.widths.length < 1 || args.widths.length > maxWidths) throw new UserError('INVALID_INPUT', `Expected 1 to ${maxWidths} widths for srcSet but received ${args.widths.length}`);
      const renditions = args.widths.map((wanted) =>
        signRendition(app, { id, width: width!, height: height! }, {
          width: wanted,
          height: null,
          fit: 'INSIDE',
          format: args.format ?? 'AUTO',
          quality: args.quality ?? defaultQuality,
          expiresInSeconds: args.expiresIn ?? defaultExpiresIn,
          download: false,
        }),
      );
      return [...new Map(renditions.map((rendition) => [rendition.width, rendition])).values()];
    },
  }),
);
