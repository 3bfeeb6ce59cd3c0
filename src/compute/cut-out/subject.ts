import { ProviderError } from '../../errors.ts';
import type { Raster } from '../raster.ts';
import { coverageOf, keepSubject, smoothOutline } from './mask.ts';
import type { Plane } from './plane.ts';
import { weighBackground } from './background.ts';
import { type LabPlanes, labPlanes, otsu, saliency } from './saliency.ts';
import { segment } from './segment.ts';

/** Where the subject is, coarsely, 0..1, and how sure that is, 0..1: below 0.5 somebody should look at the result. */
export interface Subject {
  mask: Plane;
  confidence: number;
}

const PIXEL_SHARE = 0.6;
/** Barriers below this, in OKLab, are the noise and the vignette of an empty page. */
const LEAST_CONTRAST = 0.06;
/** Of grass, gravel, brickwork and noise it is below 0.15, of photographs with a subject above 0.2. */
const LEAST_CONFIDENCE = 0.18;
const LEAST_COVERAGE = 0.001;
const MOST_COVERAGE = 0.97;
/** Along the outline of a thing colours differ more than elsewhere; across a mere gradient they do not. */
const LEAST_OUTLINE = 2;
/** Evidence beyond this adds nothing: it is how sure a colour model can be, not how sure we are. */
const FULL_EVIDENCE = 6;

/** The subject of a picture of at most 384 px, found by what its pixels alone say; throws NO_SUBJECT. */
export function findSubject(raster: Raster): Subject {
  const lab = labPlanes(raster);
  const { salient: drawn, contrast } = saliency(lab);
  if (contrast < LEAST_CONTRAST) throw noSubject('the picture is one even surface');
  const salient = mix(drawn, weighBackground(lab, drawn));
  const { mask: grown, evidence } = segment(lab, salient);
  const mask = keepSubject(smoothOutline(grown), salient, evidence);
  const coverage = coverageOf(mask);
  if (coverage > MOST_COVERAGE) throw noSubject('the subject could not be told from its surroundings');
  const confidence = coverage < LEAST_COVERAGE ? 0 : confidenceIn(mask, salient, evidence);
  const stands = confidence >= LEAST_CONFIDENCE && outlineOf(mask, lab) >= LEAST_OUTLINE;
  if (!stands) throw noSubject('nothing stands out from its surroundings');
  return { mask, confidence };
}

/** Pixels have the fine lines, patches the knowledge of what is background. */
function mix(pixels: Plane, patches: Plane): Plane {
  return { ...pixels, data: pixels.data.map((value, i) => PIXEL_SHARE * value + (1 - PIXEL_SHARE) * patches.data[i]!) };
}

/** High where the first guess and the cut agree, where saliency has two classes with little between, and where the colours of both sides differ. */
function confidenceIn(mask: Plane, salient: Plane, evidence: Float32Array): number {
  const { threshold, separation } = otsu(salient.data);
  let both = 0, either = 0, unsure = 0, inside = 0, insideEvidence = 0, outsideEvidence = 0;
  for (let i = 0; i < evidence.length; i++) {
    const guessed = salient.data[i]! > threshold;
    const cut = mask.data[i]! >= 0.5;
    if (guessed && cut) both++;
    if (guessed || cut) either++;
    if (salient.data[i]! > 0.25 && salient.data[i]! < 0.6) unsure++;
    const bounded = Math.max(-FULL_EVIDENCE, Math.min(FULL_EVIDENCE, evidence[i]!));
    if (cut) {
      inside++;
      insideEvidence += bounded;
    } else outsideEvidence -= bounded;
  }
  const clear = (both / either) * separation * (1 - unsure / evidence.length);
  const different = (insideEvidence / inside + outsideEvidence / (evidence.length - inside)) / (2 * FULL_EVIDENCE);
  return Math.sqrt(clear * Math.max(0, different));
}

/** How much stronger the colours change across the outline than between neighbours at large, as a ratio of squares. */
function outlineOf({ width, height, data }: Plane, lab: LabPlanes): number {
  let across = 0, crossings = 0, everywhere = 0, pairs = 0;
  for (let y = 0; y < height - 1; y++) for (let x = 0, i = y * width; x < width - 1; x++, i++) for (const j of [i + 1, i + width]) {
    const change = lab.reduce((sum, channel) => sum + (channel.data[i]! - channel.data[j]!) ** 2, 0);
    everywhere += change;
    pairs++;
    if (data[i]! >= 0.5 === data[j]! >= 0.5) continue;
    across += change;
    crossings++;
  }
  return crossings === 0 ? 0 : across / crossings / (everywhere / pairs);
}

export const noSubject = (why: string) =>
  new ProviderError('NO_SUBJECT', `No subject was found in the image: ${why}`, {
    retryable: false,
    hint: 'Use a picture with one clear subject that does not fill the frame, on a background of another colour or out of focus',
  });
