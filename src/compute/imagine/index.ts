import sharp from 'sharp';
import { addGrain } from '../draw.ts';
import { type Scene, seeded } from '../scenes/brush.ts';
import { createCanvas } from './canvas.ts';
import { poster, space, town, waves } from './elsewhere.ts';
import { type Idea, readPrompt } from './idea.ts';
import { desert, forest, meadow } from './land.ts';
import { moodOf, paintFalling } from './sky.ts';
import { restyle, type Style } from './style.ts';
import { table } from './table.ts';
import { lake, sea } from './water.ts';

export interface Wish {
  prompt: string;
  negativePrompt: string | null;
  style: Style | null;
  width: number;
  height: number;
  /** 0 to 2³¹-1. */
  seed: number;
}

/**
 * Draws a picture for a prompt into a JPEG file. It is a program and no model: it knows a few hundred words, places, things, colours and
 * times of day, and invents the rest from the seed. The same wish gives the same picture, without files, fonts or a network.
 */
export async function imagine({ target, ...wish }: Wish & { target: string }): Promise<void> {
  const { width, height, style, seed } = wish;
  const { svg } = sceneFor(wish);
  const sized = svg.replace('<svg ', `<svg width="${width}" height="${height}" `);
  const drawn = sharp(Buffer.from(sized)).flatten({ background: '#ffffff' });
  const { data, info } = await (await restyle(drawn, style)).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  if (style === null || style === 'PHOTOGRAPH') addGrain(data, info.channels, style ? 5 : 3, seed);
  await sharp(data, { raw: info }).jpeg({ quality: 90, chromaSubsampling: '4:4:4' }).toFile(target);
}

function sceneFor({ prompt, negativePrompt, width, height, seed }: Wish): Scene {
  const words = prompt.toLowerCase().match(/[\p{L}\p{N}]+/gu)?.join(' ') ?? '';
  const canvas = createCanvas(width / height, hashOf(words, seed));
  const idea = readPrompt(prompt, negativePrompt, seeded(hashOf(words, seed + 1)));
  const mood = moodOf(canvas, idea);
  const hasBeach = /\b(beach|shore|sand|coast|tropical|palm)/i.test(prompt);
  const paint: Record<Idea['place'], () => string> = {
    sea: () => sea(canvas, idea, mood, hasBeach),
    lake: () => lake(canvas, idea, mood),
    meadow: () => meadow(canvas, idea, mood),
    forest: () => forest(canvas, idea, mood),
    desert: () => desert(canvas, idea, mood),
    town: () => town(canvas, idea, mood),
    space: () => space(canvas, idea),
    table: () => table(canvas, idea),
    poster: () => poster(canvas, idea),
    waves: () => waves(canvas, idea),
  };
  const isOutdoors = !['space', 'table', 'poster', 'waves'].includes(idea.place);
  const fog = isOutdoors && idea.hasFog ? canvas.band(canvas.height * 0.3, canvas.height * 0.7, `fill="${canvas.down(`0 ${mood.haze} 0,.4 ${mood.haze} .55,1 ${mood.haze} .15`)}"`) : '';
  return canvas.finish(paint[idea.place]() + fog + (isOutdoors ? paintFalling(canvas, idea.falling) : ''));
}

/** FNV-1a, 32 bits. */
function hashOf(text: string, seed: number): number {
  let hash = 0x811c9dc5 ^ seed;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) | 0;
}
