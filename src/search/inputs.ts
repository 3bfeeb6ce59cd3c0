import { ImageFormatEnum, Orientation, VisibilityEnum } from '../assets/schema.ts';
import { builder } from '../graphql/builder.ts';

const ColorFilter = builder.inputType('ColorFilter', {
  description: 'Pictures with a colour like the given one, by how the eye sees colours (OKLab), not by RGB numbers: hue decides, of a gray the lightness.',
  fields: (t) => ({
    near: t.string({ required: true, description: 'Any CSS colour: "#c02030", "crimson", "rgb(20 90 200)". One of the names of `facets.colors`, such as "blue", stands for all that goes by it.' }),
    minShare: t.float({ defaultValue: 0.05, description: 'How much of the picture must have it, 0 to 1. Colours a little off count partly, of a name fully.' }),
  }),
});

const IntRange = builder.inputType('IntRange', {
  description: 'Both ends belong to it; either can be left out.',
  fields: (t) => ({ from: t.int(), to: t.int() }),
});

const DateRange = builder.inputType('DateRange', {
  description: 'Both ends belong to it; either can be left out.',
  fields: (t) => ({ from: t.field({ type: 'DateTime' }), to: t.field({ type: 'DateTime' }) }),
});

export const ImageFilterInput = builder.inputType('ImageFilter', {
  description: 'Facts a picture must have. Every condition that is given must hold.',
  fields: (t) => ({
    tags: t.stringList({ description: 'All of these tags, the viewer\'s or the analysis\'s: at most 50.' }),
    anyTags: t.stringList({ description: 'At least one of these tags: at most 50.' }),
    colors: t.stringList({ description: 'All of these colours, by the names of `facets.colors`: each covers at least 8 % of the picture.' }),
    color: t.field({ type: ColorFilter }),
    orientation: t.field({ type: [Orientation], description: 'Any of these.' }),
    format: t.field({ type: [ImageFormatEnum], description: 'Any of these.' }),
    width: t.field({ type: IntRange, description: 'Pixels.' }),
    height: t.field({ type: IntRange, description: 'Pixels.' }),
    byteSize: t.field({ type: IntRange }),
    createdAt: t.field({ type: DateRange, description: 'When it was uploaded.' }),
    takenAt: t.field({ type: DateRange, description: 'When the camera says it was taken. Pictures that do not say are left out.' }),
    visibility: t.field({ type: VisibilityEnum, description: 'Whether it is public.' }),
    analyzed: t.boolean({ description: 'Whether there is an analysis.' }),
  }),
});
