import { graphicConfidence, type Facts, type Tag } from './tags.ts';

/** One sentence about a picture's shape, light and colours, as sure as the least sure of its words. */
export interface Caption {
  text: string;
  confidence: number;
}

const shapes = { panorama: 'panoramic', landscape: 'wide', portrait: 'tall', square: 'square' };
const looks = { blurry: 'blurry', dark: 'dark', bright: 'bright', 'low contrast': 'low-contrast', 'high contrast': 'high-contrast', greyscale: 'black-and-white' };
const kinds = { screenshot: 'screenshot', document: 'document', graphic: 'graphic' };
const extras = { transparent: 'on a transparent background', 'qr code': 'with a QR code', barcode: 'with a barcode' };

/** "Wide, bright photo, mostly orange and blue": says what was measured and never names what is shown. */
export function captionImage({ statistics, colors, frames }: Facts, tags: Tag[]): Caption {
  const sureness = new Map(tags.map(({ name, confidence }) => [name, confidence]));
  const said: number[] = [];
  const pick = (words: Record<string, string>) => Object.entries(words).filter(([name]) => sureness.has(name)).map(([name, word]) => {
    said.push(sureness.get(name) ?? 0);
    return word;
  });
  const first = (words: Record<string, string>) => pick(Object.fromEntries(Object.entries(words).filter(([name]) => sureness.has(name)).slice(0, 1)));

  const shape = first(shapes);
  const adjectives = [...shape, ...pick(looks)].join(', ');
  const [kind] = first(kinds);
  if (!kind) said.push(1 - graphicConfidence(statistics));
  const noun = frames > 1 ? 'animation' : (kind ?? 'photo');

  const named = colors.dominant.slice(0, 2);
  const share = colors.palette.reduce((sum, entry) => (named.includes(entry.name) ? sum + entry.share : sum), 0);
  if (!colors.isBlackAndWhite) said.push(share);
  const colored = colors.isBlackAndWhite ? '' : `, ${share > 0.95 ? 'all' : 'mostly'} ${named.join(' and ')}`;

  const sentence = [`${adjectives} ${noun}`.trim() + colored, ...pick(extras)].join(', ');
  return { text: sentence.charAt(0).toUpperCase() + sentence.slice(1), confidence: Math.min(...said) };
}
