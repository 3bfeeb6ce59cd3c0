import { ProviderError } from '../../errors.ts';
import type { Raster } from '../raster.ts';
import { coverageOf, keepSubject, smoothOutline } from './mask.ts';
import type { Plane } from './plane.ts';
import { labPlanes, otsu, saliency } from './saliency.ts';
import { segment } from './segment.ts';

/** Where the subject is, coarsely, 0..1, and how sure that is, 0..1: below 0.5 somebody should look at the result. */
export interface Subject {
  mask: Plane;
  confidence: number;
}

/** Barriers below this, in OKLab, are the noise and the vignette of an empty page. */
const LEAST_CONTRAST = 0.06;
const LEAST_CONFIDENCE = 0.12;
const LEAST_COVERAGE = 0.001;
const MOST_COVERAGE = 0.97;

/** The subject of a picture of at most 384 px, found by what its pixels alone say; throws NO_SUBJECT. */
export function findSubject(raster: Raster): Subject {
  const lab = labPlanes(raster);
  const { saliency: salient, contrast } = saliency(lab);
  const { width, height } = salient;
  if (contrast < LEAST_CONTRAST) throw noSubject('the picture is one even surface');
  const guess = otsu(salient.data);
  const grown: Plane = { width, height, data: Float32Array.from(segment(lab, salient)) };
  const mask = keepSubject(smoothOutline(grown), salient);
  const coverage = coverageOf(mask);
  if (coverage < LEAST_COVERAGE) throw noSubject('nothing stands out from its surroundings');
  if (coverage > MOST_COVERAGE) throw noSubject('the subject could not be told from its surroundings');

  // It is likely right where the first guess and the cut agree, and where saliency has two classes with little between.
  let both = 0, either = 0, unsure = 0;
  for (let i = 0; i < mask.data.length; i++) {
    const guessed = salient.data[i]! > guess.threshold;
    const cut = mask.data[i]! >= 0.5;
    if (guessed && cut) both++;
    if (guessed || cut) either++;
    if (salient.data[i]! > 0.25 && salient.data[i]! < 0.6) unsure++;
  }
  const confidence = (both / either) * guess.separation * (1 - unsure / mask.data.length);
  if (confidence < LEAST_CONFIDENCE) throw noSubject('nothing stands out from its surroundings');
  return { mask, confidence };
}

export const noSubject = (why: string) =>
  new ProviderError('NO_SUBJECT', `No subject was found in the image: ${why}`, {
    retryable: false,
    hint: 'Use a picture with one clear subject that does not fill the frame, on a background of another colour or out of focus',
  });
