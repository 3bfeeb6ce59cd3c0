import { inspectImage } from '../../dist/compute/inspect.js';
import { measureImage } from '../../dist/compute/measure.js';
import '../../dist/compute/tasks.js';
import { answer } from './side.js';

const limits = { minSide: 50, maxSide: 16_384, maxPixels: 64_000_000, maxAvifPixels: 32_000_000, maxFrames: 1_000 };
answer(async ({ path }) => {
  await inspectImage({ path, limits });
  await measureImage({ path, limits }, () => {});
});
