import { join } from 'node:path';
import sharp from 'sharp';
import { fitMixture } from '../src/compute/cut-out/gaussian-mixture.ts';
import { linkNeighbours } from '../src/compute/cut-out/links.ts';
import { grid } from '../src/compute/cut-out/max-flow.ts';
import { labPlanes } from '../src/compute/cut-out/saliency.ts';
import { root } from './machine.ts';
import { outlines } from './outlines.ts';

export const photos = join(root, '../shared/data');

/** A picture whose subject is known: alpha of the subject, 0..255, as large as the picture. */
export interface KnownPicture {
  picture: Buffer;
  width: number;
  height: number;
  truth: Uint8Array;
}

const SIDE = 640;
/** Width of the strip around a drawn line in which the picture decides, as a share of the longer side. */
const STRIP = 0.028;

/** The subject of a photograph that has an outline: its polygon, with the line moved to the edge that lies within 1.4 % of it. */
export function truthOf(name: string): Promise<KnownPicture> {
  const truth = truths.get(name) ?? drawTruth(name);
  truths.set(name, truth);
  return truth;
}
const truths = new Map<string, Promise<KnownPicture>>();

async function drawTruth(name: string): Promise<KnownPicture> {
  const { data, info } = await sharp(join(photos, name)).removeAlpha().resize(SIDE, SIDE, { fit: 'inside', withoutEnlargement: true }).raw().toBuffer({ resolveWithObject: true });
  const { width, height } = info;
  const draw = (style: string) => {
    const polygons = outlines[name]!.map((points) => `<polygon points="${points}" vector-effect="non-scaling-stroke" stroke-linejoin="round" ${style}/>`).join('');
    return sharp(Buffer.from(`<svg width="${width}" height="${height}" viewBox="0 0 100 100" preserveAspectRatio="none"><rect width="100" height="100"/>${polygons}</svg>`)).extractChannel(0).raw().toBuffer();
  };
  const drawn = await draw('fill="#fff"');
  const strip = await draw(`fill="none" stroke="#fff" stroke-width="${Math.max(width, height) * STRIP}"`);
  const lab = labPlanes({ width, height, channels: 3, data });
  const cut = grid(width, height, linkNeighbours(lab, 20));
  let mask: Uint8Array = drawn.map((value) => (value > 127 ? 1 : 0));
  for (let round = 0; round < 2; round++) {
    const of = (side: number) => fitMixture(lab, Uint32Array.from(mask.keys()).filter((i) => mask[i] === side));
    const [outside, inside] = [of(0), of(1)];
    const cost = (i: number) => [outside, inside].map((mixture) => mixture.cost(lab[0].data[i]!, lab[1].data[i]!, lab[2].data[i]!)) as [number, number];
    const terminals = Int32Array.from(mask, (_, i) => {
      if (strip[i]! < 64) return drawn[i]! > 127 ? 1e7 : -1e7;
      const [out, within] = cost(i);
      return Math.round(20 * (out - within));
    });
    mask = cut(terminals);
  }
  const picture = await sharp(data, { raw: info }).png().toBuffer();
  return { picture, width, height, truth: mask.map((value) => value * 255) };
}

/** Subjects that are whole in their photograph, or stand on its lower edge, and can be put before another background. */
const subjects = [
  'cutout-photos/horse.jpg', 'cutout-photos/boat.jpg', 'cutout-photos/lamp2_meitu_1.jpg', 'cutout-photos/rifle1.jpg', 'cutout-photos/sailboat3.jpg', 'cutout-photos/0003.jpg', 'cutout-photos/im_21.png',
  ...['106005', '124084', '109053', '196062', '208078', '268074', '304074', '42044', '226060', '64061'].map((number) => `photos/bsds-${number}.jpg`), 'photos/coffee.png',
];
const scenery = ['117025', '144067', '27059', '33066', '68077', '95006', '148026', '169012', '260058'].map((number) => join(photos, `photos/bsds-${number}.jpg`));
const pages = [['#e8e6e0', '#c2c4c8'], ['#f4f4f4', '#dcdcdc'], ['#8fa6b8', '#5f7890'], ['#d9c7a8', '#b8a184'], ['#3c3c40', '#222226']];
const size = { width: 1200, height: 900 };

const grounds = {
  plain: (k: number) => {
    const [from, to] = pages[k % pages.length]!;
    return sharp(Buffer.from(`<svg width="${size.width}" height="${size.height}"><defs><linearGradient id="g" x2="0.4" y2="1"><stop stop-color="${from}"/><stop offset="1" stop-color="${to}"/></linearGradient></defs><rect width="100%" height="100%" fill="url(#g)"/></svg>`)).png().toBuffer();
  },
  bokeh: (k: number) => sharp(scenery[k % scenery.length]).resize({ ...size, fit: 'cover' }).blur(14).png().toBuffer(),
  clutter: (k: number) => sharp(scenery[(k + 4) % scenery.length]).resize({ ...size, fit: 'cover' }).png().toBuffer(),
};
export const groundNames = Object.keys(grounds) as (keyof typeof grounds)[];

/** Each subject before one background of a kind, in 1200 x 900, as a JPEG. */
export async function* composedPictures(ground: keyof typeof grounds): AsyncGenerator<KnownPicture> {
  for (const [k, name] of subjects.entries()) {
    const { subject, width, height, isCut } = await subjectAlone(name);
    const left = Math.round((size.width - width) * (0.4 + 0.05 * ((k * 7) % 5)));
    const top = isCut ? size.height - height : Math.round((size.height - height) * (0.45 + 0.05 * ((k * 3) % 4)));
    const place = [{ input: subject, left, top }];
    const picture = await sharp(await grounds[ground](k)).removeAlpha().composite(place).jpeg({ quality: 88 }).toBuffer();
    const alone = await sharp({ create: { ...size, channels: 4, background: '#00000000' } }).composite(place).png().toBuffer();
    yield { picture, ...size, truth: await sharp(alone).extractChannel(3).raw().toBuffer() };
  }
}

async function subjectAlone(name: string) {
  const { picture, width, height, truth } = await truthOf(name);
  let left = width, right = 0, top = height, bottom = 0;
  truth.forEach((value, i) => {
    if (value === 0) return;
    const x = i % width;
    const y = Math.floor(i / width);
    [left, right, top, bottom] = [Math.min(left, x), Math.max(right, x), Math.min(top, y), Math.max(bottom, y)];
  });
  const alpha = await sharp(truth, { raw: { width, height, channels: 1 } }).blur(0.8).extractChannel(0).raw().toBuffer();
  const whole = await sharp(picture).joinChannel(alpha, { raw: { width, height, channels: 1 } }).png().toBuffer();
  const { data: subject, info } = await sharp(whole)
    .extract({ left, top, width: right - left + 1, height: bottom - top + 1 })
    .resize({ width: Math.round(size.width * 0.6), height: Math.round(size.height * 0.66), fit: 'inside' })
    .png()
    .toBuffer({ resolveWithObject: true });
  return { subject, width: info.width, height: info.height, isCut: bottom >= height - 2 };
}
