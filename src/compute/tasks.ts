import sharp from 'sharp';
import { inspectAudio } from './audio.ts';
import { encodeImage } from './encode.ts';
import { cutOut } from './cut-out/index.ts';
import { imagine } from './imagine/index.ts';
import { inspectImage } from './inspect.ts';
import { measureImage } from './measure.ts';
import type { TaskList } from './messages.ts';
import type { makeModel } from './model-3d/make.ts';
import type { readModel } from './model-3d/read.ts';
import { renderImage } from './render.ts';

// sniff.ts lets no other format through; should it fail, no other loader answers, and none that opens files by name.
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({ operation: ['Jpeg', 'Png', 'Webp', 'Heif', 'Nsgif', 'Tiff'].map((loader) => `VipsForeignLoad${loader}Buffer`) });

/** Lets a task load SVG, which is safe only for what we drew ourselves; a child runs one task at a time. */
function withDrawings<Input>(task: (input: Input) => Promise<void>) {
  const drawings = { operation: ['VipsForeignLoadSvgBuffer'] };
  return async (input: Input): Promise<void> => {
    sharp.unblock(drawings);
    await task(input).finally(() => sharp.block(drawings));
  };
}

/** Everything a compute child can do. Imported at run time by the child alone: sharp never enters the parent. The code for models comes when it is first asked for, which most children never are. */
export const tasks = {
  encode: encodeImage,
  inspectAudio,
  inspect: inspectImage,
  measure: (input: Parameters<typeof measureImage>[0], context) => measureImage(input, context.progress),
  cutOut: (input: Parameters<typeof cutOut>[0], context) => cutOut(input, context.progress),
  makeModel: async (input: Parameters<typeof makeModel>[0], context) => (await import('./model-3d/make.ts')).makeModel(input, context.progress),
  readModel: async (input: Parameters<typeof readModel>[0]) => (await import('./model-3d/read.ts')).readModel(input),
  render: renderImage,
  imagine: withDrawings(imagine),
} satisfies TaskList;
