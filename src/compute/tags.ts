import type { Code } from './codes.ts';
import type { Colors } from './palette.ts';
import type { Statistics } from './statistics.ts';

/** A word for a picture that follows from its pixels. */
export interface Tag {
  name: string;
  /** 0.5 (just so) to 1 (clearly so). */
  confidence: number;
  source: 'local-heuristic';
}

/** What tags and caption are made from. `width` and `height` are those of the whole picture. */
export interface Facts {
  width: number;
  height: number;
  frames: number;
  /** Share (0..1) of pixels one can see through. */
  transparentShare: number;
  statistics: Statistics;
  colors: Colors;
  codes: Code[];
}

/** Straight from 0 through 0.5 at `half` to 1 at `full`, then flat. `full` may be below `half`. */
const confidence = (value: number, half: number, full: number) => Math.min(1, Math.max(0, 0.5 + (0.5 * (value - half)) / (full - half)));

/** Pixels of usual screens, upright; a graphic of exactly this size is taken for a screenshot. */
const screens = new Set([
  '640x1136', '750x1334', '828x1792', '1080x1920', '1080x2220', '1080x2280', '1080x2340', '1080x2400', '1125x2436', '1170x2532', '1179x2556', '1206x2622',
  '1242x2208', '1242x2688', '1284x2778', '1290x2796', '1320x2868', '1440x2560', '1440x3040', '1440x3120', '1440x3200', '1536x2048', '1620x2160', '1640x2360',
  '1668x2388', '2048x2732', '720x1280', '768x1024', '768x1366', '800x1280', '900x1440', '900x1600', '1050x1680', '1080x2560', '1200x1920', '1440x3440',
  '1600x2560', '1664x2560', '1800x2880', '1964x3024', '2160x3840', '2234x3456', '2880x5120',
]);

/** How surely a picture was drawn, written or captured rather than photographed, 0..1: even areas of few colours, or one colour over most of it. */
export function graphicConfidence({ flatShare, colorCount, commonestShare }: Statistics): number {
  return Math.max(Math.min(confidence(flatShare, 0.35, 0.7), confidence(colorCount, 240, 0)), confidence(commonestShare, 0.6, 1));
}

/** Every candidate with its confidence. The halves are thresholds measured on 600 photographs and 340 graphics. */
function candidates({ width, height, frames, transparentShare, statistics, colors, codes }: Facts): Record<string, number> {
  const { meanLuma, lumaDeviation, laplacianVariance, colorCount, commonestIsWhite, commonestShare } = statistics;
  const graphic = graphicConfidence(statistics);
  const lean = Math.log(width / height);
  const ofScreen = screens.has(`${Math.min(width, height)}x${Math.max(width, height)}`);
  const shareOf = (name: string) => colors.palette.reduce((sum, entry) => (entry.name === name ? sum + entry.share : sum), 0);
  return {
    graphic,
    document: commonestIsWhite ? Math.min(graphic, confidence(commonestShare, 0.4, 0.8), confidence(colorCount, 24, 0), confidence(lumaDeviation, 20, 40)) : 0,
    screenshot: ofScreen ? graphic : 0,
    // Even areas have no detail to lose, so a graphic is never called blurry.
    blurry: graphic >= 0.5 ? 0 : confidence(laplacianVariance, 60, 0),
    greyscale: colors.isBlackAndWhite ? 1 : 0,
    dark: confidence(meanLuma, 60, 20),
    bright: confidence(meanLuma, 190, 235),
    'low contrast': confidence(lumaDeviation, 30, 5),
    'high contrast': confidence(lumaDeviation, 75, 110),
    landscape: confidence(lean, 0.05, 0.2),
    portrait: confidence(-lean, 0.05, 0.2),
    square: confidence(Math.abs(lean), 0.05, 0),
    panorama: confidence(Math.abs(lean), Math.LN2, Math.log(3)),
    transparent: confidence(transparentShare, 0.005, 0.1),
    animated: frames > 1 ? 1 : 0,
    'qr code': codes.some(isQr) ? 1 : 0,
    barcode: codes.some((code) => !isQr(code)) ? 1 : 0,
    ...Object.fromEntries(colors.dominant.map((name) => [name, confidence(shareOf(name), 0.08, 0.3)])),
  };
}

const isQr = ({ format }: Code) => format.includes('QR');

/** The tags that hold, surest first. Each confidence rises or falls steadily with what was measured, and is 0.5 at the threshold. */
export function tagImage(facts: Facts): Tag[] {
  return Object.entries(candidates(facts))
    .filter(([, value]) => value >= 0.5)
    .map(([name, value]): Tag => ({ name, confidence: value, source: 'local-heuristic' }))
    .sort((one, other) => other.confidence - one.confidence);
}
