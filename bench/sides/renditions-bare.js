import sharp from 'sharp';
import { answer } from './side.js';

sharp.cache(false);
sharp.concurrency(1);

/** sharp as its manual has it, with the settings of Darkroom. */
answer(async ({ source, target, width, height, quality }) => {
  await sharp(source).autoOrient().resize({ width, height, fit: 'fill' }).toColourspace('srgb').webp({ quality, effort: 2 }).toFile(target);
});
