import type { RenditionFormat } from '../compute/render.ts';
import { builder } from '../graphql/builder.ts';
import { UserError } from '../errors.ts';
import { defaultQuality, type ImageSize, type RenditionFit, type RenditionWish } from './rendition.ts';

const maxWidths = 20;

const Fit = builder.enumType('RenditionFit', {
  description: 'How a picture comes to the size asked for. It is never enlarged: where it has too few pixels, the rendition is smaller and keeps the proportions.',
  values: {
    INSIDE: { description: 'The whole picture, as large as fits. Its proportions stay.' },
    COVER: { description: 'Fills width and height; what stands out is cut off, evenly from both sides or around `focus`.' },
    CONTAIN: { description: 'The whole picture in the middle of width and height. The rest is transparent where the picture can be, else white.' },
  } satisfies Record<RenditionFit, object>,
});

export const Format = builder.enumType('RenditionFormat', {
  values: {
    AUTO: { description: 'The smallest that the browser shows, as its header Accept says: AVIF, else WebP, else JPEG, or PNG where the picture has transparency.' },
    JPEG: { description: 'Everybody shows it. What is transparent becomes white.' },
    WEBP: { description: 'About a sixth smaller than JPEG.' },
    AVIF: { description: 'About a third smaller than JPEG; the first request waits for it, up to seconds where it is large.' },
    PNG: { description: 'Without loss, and large for photographs.' },
  } satisfies Record<RenditionFormat | 'AUTO', object>,
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

const cropArg = { type: Crop, description: 'Only this part of the picture.' };
const qualityArg = { defaultValue: defaultQuality, description: `1 to 100, on JPEG's scale: AVIF takes the number that looks like it. PNG is without loss and ignores it.` };

const beyond = 'More than the picture has, or than RENDITION_MAX_SIDE of the server (4096, where it is not set), comes to the most there can be.';

/** Of one rendition. */
export const renditionArgs = builder.args((t) => ({
  width: t.int({ description: `Pixels, 1 or more. ${beyond} One of width and height may be left out; it follows from the picture. Without both: the picture's own size.` }),
  height: t.int({ description: 'As width.' }),
  fit: t.field({ type: Fit, defaultValue: 'INSIDE' }),
  crop: t.field(cropArg),
  focus: t.field({ type: Focus, description: 'With COVER: this point stays as near to the middle as can be. Without it: the middle of the picture.' }),
  quality: t.int(qualityArg),
}));

/** Of one at each of several widths. */
export const srcSetArgs = builder.args((t) => ({
  widths: t.intList({ required: true, description: `1 to ${maxWidths} of them, in pixels. ${beyond}` }),
  crop: t.field(cropArg),
  quality: t.int(qualityArg),
}));

/** An image's row has its size. */
export const sizeOf = ({ id, width, height }: { id: string; width: number | null; height: number | null }): ImageSize => ({ id, width: width!, height: height! });

/** What is left out or null is the default. */
export function wishOf({ width, height, fit, crop, focus, format, quality }: { [Key in keyof RenditionWish]?: RenditionWish[Key] | null }, defaultFormat: RenditionWish['format']): RenditionWish {
  return { width: width ?? null, height: height ?? null, fit: fit ?? 'INSIDE', crop: crop ?? null, focus: focus ?? null, format: format ?? defaultFormat, quality: quality ?? defaultQuality };
}

/** One of each width that comes out, for what was asked for. */
export function eachWidth<Rendition extends { width: number }>(widths: readonly number[], sign: (width: number) => Rendition): Rendition[] {
  if (widths.length < 1 || widths.length > maxWidths) throw new UserError('INVALID_INPUT', `Expected 1 to ${maxWidths} widths for srcSet but received ${widths.length}`);
  return [...new Map(widths.map(sign).map((rendition) => [rendition.width, rendition])).values()];
}
