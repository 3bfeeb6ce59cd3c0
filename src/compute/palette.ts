import { colorName, type ColorName } from './color-names.ts';
import { labDistanceSquared, labToHex, rgbToLab, type Lab } from './oklab.ts';
import type { Raster } from './raster.ts';

/** A colour that covers `share` (0..1) of a picture. */
export interface PaletteEntry {
  hex: string;
  name: ColorName;
  share: number;
  lab: Lab;
}

/** The colours of a picture in words and numbers. */
export interface Colors {
  /** Names of what covers at least 8 %, heaviest first. */
  dominant: ColorName[];
  palette: PaletteEntry[];
  /** The most colourful entry that matters, as "#rrggbb", dark and light enough to write with. */
  accent: string;
  background: ColorName;
  foreground: ColorName;
  isBlackAndWhite: boolean;
}

const clusterCount = 8;
const rounds = 8;
const mergeDistance = 0.05;
/** How much of a picture the colours cover that it is known by. */
export const dominantShare = 0.08;
const frameWidth = 0.12;
const greyChroma = 0.02;
const visibleAlpha = 128;

interface Cluster { lab: Lab; weight: number }

/** Visible pixels in bins of 5 bits per channel, each with its mean colour. `binOf` gives the bin of a pixel, -1 where it is transparent. */
function binPixels({ width, height, channels, data }: Raster) {
  const slots = new Int16Array(1 << 15).fill(-1);
  const binOf = new Int16Array(width * height).fill(-1);
  const bins: Cluster[] = [];
  let visible = 0;
  let colorful = 0;
  for (let pixel = 0, k = 0; pixel < binOf.length; pixel++, k += channels) {
    if (channels === 4 && data[k + 3]! < visibleAlpha) continue;
    const red = data[k]!, green = data[k + 1]!, blue = data[k + 2]!;
    const slot = ((red >> 3) << 10) | ((green >> 3) << 5) | (blue >> 3);
    const lab = rgbToLab(red, green, blue);
    if (slots[slot] === -1) slots[slot] = bins.push({ lab: [0, 0, 0], weight: 0 }) - 1;
    const index = slots[slot]!;
    const bin = bins[index]!;
    for (let c = 0; c < 3; c++) bin.lab[c]! += lab[c]!;
    bin.weight++;
    binOf[pixel] = index;
    visible++;
    if (Math.hypot(lab[1], lab[2]) >= greyChroma) colorful++;
  }
  for (const bin of bins) bin.lab = bin.lab.map((sum) => sum / bin.weight) as Lab;
  return { bins, binOf, visible, colorfulShare: colorful / visible };
}

function nearest(clusters: Cluster[], lab: Lab): number {
  let best = 0;
  let least = Infinity;
  for (let i = 0; i < clusters.length; i++) {
    const distance = labDistanceSquared(clusters[i]!.lab, lab);
    if (distance < least) { least = distance; best = i; }
  }
  return best;
}

function mean(members: Cluster[]): Cluster {
  const weight = members.reduce((sum, member) => sum + member.weight, 0);
  const component = (c: 0 | 1 | 2) => members.reduce((sum, member) => sum + member.weight * member.lab[c], 0) / weight;
  return { weight, lab: [component(0), component(1), component(2)] };
}

/** Weighted k-means: starts at the heaviest bin, then at the one that is far from all and heavy. Equal input, equal output. */
function cluster(bins: Cluster[]): Cluster[] {
  let clusters = [bins.reduce((heaviest, bin) => (bin.weight > heaviest.weight ? bin : heaviest))];
  const distances = bins.map((bin) => labDistanceSquared(bin.lab, clusters[0]!.lab));
  while (clusters.length < clusterCount) {
    let next = 0;
    bins.forEach((bin, i) => { if (Math.sqrt(bin.weight) * distances[i]! > Math.sqrt(bins[next]!.weight) * distances[next]!) next = i; });
    if (distances[next] === 0) break;
    clusters.push(bins[next]!);
    bins.forEach((bin, i) => { distances[i] = Math.min(distances[i]!, labDistanceSquared(bin.lab, bins[next]!.lab)); });
  }
  for (let round = 0; round < rounds; round++) {
    const members: Cluster[][] = clusters.map(() => []);
    for (const bin of bins) members[nearest(clusters, bin.lab)]!.push(bin);
    clusters = members.filter((group) => group.length > 0).map(mean);
  }
  for (let i = 0; i < clusters.length; i++) {
    for (let j = i + 1; j < clusters.length; j++) {
      if (labDistanceSquared(clusters[i]!.lab, clusters[j]!.lab) >= mergeDistance ** 2) continue;
      clusters[i] = mean([clusters[i]!, clusters[j]!]);
      clusters.splice(j, 1);
      j = i;
    }
  }
  return clusters.sort((one, other) => other.weight - one.weight);
}

/** The entry (by index) that covers most of the pixels for which `inside` holds, of those that `wanted` lets through; -1 for none. */
function heaviestWhere(raster: Raster, entryOf: Int16Array, count: number, inside: (x: number, y: number) => boolean, wanted: (entry: number) => boolean): number {
  const weights = new Uint32Array(count);
  for (let y = 0, pixel = 0; y < raster.height; y++) {
    for (let x = 0; x < raster.width; x++, pixel++) {
      const entry = entryOf[pixel]!;
      if (entry >= 0 && inside((x + 0.5) / raster.width, (y + 0.5) / raster.height)) weights[entry]!++;
    }
  }
  return weights.reduce((best, weight, entry) => (weight > (best < 0 ? 0 : weights[best]!) && wanted(entry) ? entry : best), -1);
}

function accentOf(palette: PaletteEntry[]): string {
  const strength = ({ lab, share }: PaletteEntry) => Math.hypot(lab[1], lab[2]) * Math.sqrt(share);
  const [L, a, b] = palette.reduce((best, entry) => (strength(entry) > strength(best) ? entry : best)).lab;
  return labToHex([Math.min(0.7, Math.max(0.35, L)), a, b]);
}

/**
 * Up to 8 colours by k-means in OKLab, heaviest first, shares adding up to 1, and what follows from them. Takes a raster shrunk to
 * 128x128 (its shape does not matter: shares stay). Transparent pixels count for nothing; a wholly transparent picture is all white.
 * Background is the heaviest colour of the outer 12 %, foreground the heaviest of the centre that has another name (the background's
 * where there is none). Black and white means that 99 % of the pixels have a chroma below .02.
 */
export function measureColors(raster: Raster): Colors {
  const { bins, binOf, visible, colorfulShare } = binPixels(raster);
  if (bins.length === 0) {
    const white: PaletteEntry = { hex: '#ffffff', name: 'white', share: 1, lab: [1, 0, 0] };
    return { dominant: ['white'], palette: [white], accent: accentOf([white]), background: 'white', foreground: 'white', isBlackAndWhite: true };
  }
  const clusters = cluster(bins);
  const palette = clusters.map(({ lab, weight }): PaletteEntry => ({ hex: labToHex(lab), name: colorName(lab), share: weight / visible, lab }));
  const entryOfBin = bins.map((bin) => nearest(clusters, bin.lab));
  const entryOf = binOf.map((bin) => (bin < 0 ? -1 : entryOfBin[bin]!));

  const inFrame = (x: number, y: number) => Math.min(x, 1 - x, y, 1 - y) < frameWidth;
  const inCentre = (x: number, y: number) => Math.abs(x - 0.5) < 0.25 && Math.abs(y - 0.5) < 0.25;
  const background = palette[Math.max(0, heaviestWhere(raster, entryOf, palette.length, inFrame, () => true))]!.name;
  const foreground = palette[heaviestWhere(raster, entryOf, palette.length, inCentre, (entry) => palette[entry]!.name !== background)]?.name ?? background;
  return {
    dominant: [...new Set(palette.filter(({ share }) => share >= dominantShare).map(({ name }) => name))],
    palette,
    accent: accentOf(palette),
    background,
    foreground,
    isBlackAndWhite: colorfulShare <= 0.01,
  };
}
