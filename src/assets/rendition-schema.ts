import { builder } from '../graphql/builder.ts';
import { imageFormats } from '../compute/sniff.ts';
import { signRendition, type SignedRendition } from './rendition.ts';
import { eachWidth, Format, renditionArgs, sizeOf, srcSetArgs, wishOf } from './rendition-inputs.ts';
import { Image } from './schema.ts';

const defaultExpiresIn = 86_400;

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

const expiresIn = 'Seconds, 60 to 604800. The URL lives at least this long.';

builder.prismaObjectField(Image, 'rendition', (t) =>
  t.field({
    type: SignedRenditionType,
    description: 'The picture at another size or in another format, or a part of it. Asking costs nothing, so ask for as many as the page needs.',
    args: {
      ...renditionArgs,
      format: t.arg({ type: Format, defaultValue: 'AUTO' }),
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
    description: 'The whole picture at several widths, for `<img srcset>` with the descriptor `w`. Widths beyond the largest that can be come to the same rendition, which is given once.',
    args: { ...srcSetArgs, format: t.arg({ type: Format, defaultValue: 'AUTO' }), expiresIn: t.arg.int({ defaultValue: defaultExpiresIn, description: expiresIn }) },
    resolve: (image, { widths, ...args }, { app }) =>
      eachWidth(widths, (width) => signRendition(app, sizeOf(image), wishOf({ ...args, width }, 'AUTO'), { expiresInSeconds: args.expiresIn ?? defaultExpiresIn, download: false })),
  }),
);
