import { colorNames } from '../../src/compute/color-names.ts';

export interface Count {
  value: string;
  count: number;
}

const wordsOfCameras = new Set(['img', 'dsc', 'dscn', 'dscf', 'pxl', 'image', 'photo', 'picture', 'file', 'copy', 'untitled', 'screenshot', 'jpeg', 'webp', 'tiff', 'heic', 'avif']);
const wordsOfAnyPicture = new Set<string>([...colorNames, 'landscape', 'portrait', 'square', 'bright', 'dark']);
/** The ones that catch the eye, first. */
const vividness = ['red', 'orange', 'yellow', 'purple', 'teal', 'pink', 'green', 'blue', 'brown', 'gray', 'black', 'white'];

/** A word tells most when it picks out a few of the pictures, better than one, better than nearly all of them. */
const telling = (count: number, total: number) => (count >= 2 && count <= Math.max(2, total / 3) ? 2 : count === 1 ? 1 : 0);

/** Words worth a search, the most telling first: of file names, then tags. */
export function tellingWords(filenames: string[], tags: Count[]): Count[] {
  const total = filenames.length;
  const wordsOf = (name: string) => new Set(name.replace(/\.\w+$/, '').toLowerCase().split(/[^\p{L}]+/u).filter((word) => word.length >= 4 && !wordsOfCameras.has(word)));
  const named = new Map<string, number>();
  for (const name of filenames) for (const word of wordsOf(name)) named.set(word, (named.get(word) ?? 0) + 1);
  const rank = ({ value, count }: Count) => telling(count, total) + (named.has(value) ? 0.5 : 0) - (wordsOfAnyPicture.has(value) ? 1 : 0);
  const words = [...named].map(([value, count]) => ({ value, count }));
  return [...words, ...tags.filter(({ value }) => !named.has(value))].sort((a, b) => rank(b) - rank(a) || b.count - a.count || b.value.length - a.value.length);
}

export interface Painted {
  filename: string;
  palette: { hex: string; name: string; share: number }[];
}

/** The most vivid colour that some of the pictures have and not all, as it is in the picture that has most of it. */
export function tellingColor(pictures: Painted[], colors: Count[]): { name: string; hex: string; filename: string } | undefined {
  const rank = ({ value, count }: Count) => Math.min(telling(count, pictures.length), 1) * 12 - vividness.indexOf(value);
  for (const { value: name } of colors.toSorted((a, b) => rank(b) - rank(a))) {
    const [most] = pictures
      .flatMap(({ filename, palette }) => palette.filter((color) => color.name === name).map((color) => ({ ...color, filename })))
      .sort((a, b) => b.share - a.share);
    if (most) return { name, hex: most.hex, filename: most.filename };
  }
  return undefined;
}

export interface Neighbour {
  match: 'IDENTICAL' | 'NEAR_DUPLICATE' | 'SIMILAR' | 'RELATED';
  score: number;
}

/** The picture that is most like another one without being a copy of it; where there are only copies, the one with the nearest. */
export function bestLikeness<Picture extends { neighbours: Neighbour[] }>(pictures: Picture[]): Picture | undefined {
  const best = ({ neighbours }: Picture) => Math.max(0, ...neighbours.map(({ match, score }) => (match === 'SIMILAR' || match === 'RELATED' ? 1 + score : score)));
  return pictures.filter(({ neighbours }) => neighbours.length > 0).sort((a, b) => best(b) - best(a))[0];
}
