import { readFile } from 'node:fs/promises';
import { decodeImage, type DecodeLimits } from '../decode.ts';
import type { Raster } from '../raster.ts';
import { onWhite } from '../resample.ts';
import { type ComposeOptions, composeFiles, type CutOutFile, OUTPUT_SIDE } from './compose.ts';
import { separateEdges } from './edges.ts';
import { type Box, boxOf, boxOfFractions, cropRaster } from './frame.ts';
import { feather, guidedAlpha } from './refine.ts';
import { shrink } from './resize.ts';
import { findSubject, noSubject, type Subject } from './subject.ts';
import { askModel, type ModelFacts } from './u2net.ts';
import { smoothOutline } from './mask.ts';

export interface CutOutInput {
  path: string;
  limits: DecodeLimits;
  options: ComposeOptions & {
    /** Pixels over which the edge fades to each side, beyond its own anti-aliasing. */
    feather: number;
    /** The part of the upright picture to look at, as fractions; null is all of it. */
    crop: Box | null;
  };
  /** Exists, and belongs to this task alone. */
  outputFolder: string;
  /** An ONNX model of the U²-Net family that says where the subject is; null for the way that needs none. */
  model: null | { path: string };
}

export interface CutOut {
  files: CutOutFile[];
  /** Share of the picture that the subject covers. */
  coverage: number;
  /** Where the subject is, as fractions of the upright picture. */
  box: Box;
  /** 0..1; below 0.5 somebody should look at the result. */
  confidence: number;
  damaged: boolean;
  model: ModelFacts | null;
}

type Progress = (percent: number, stage: string) => void;

const GUIDE_SIDE = 768;
const SEARCH_SIDE = 384;
/** Pixels of the search in which the true edge is looked for. */
const REACH = 1.5;
/** A picture with more transparency than this was cut out before, by somebody who knew what they wanted. */
const TRANSPARENT_SHARE = 0.01;

/**
 * Cuts the subject out of the picture in a file and writes what was asked for into a folder. Transparency that the picture has is kept as it is.
 * Throws `ProviderError` NO_SUBJECT and MODEL_MISSING, and what `decodeImage` throws.
 */
export async function cutOut(input: CutOutInput, progress: Progress): Promise<CutOut> {
  const { options } = input;
  progress(0, 'decoding');
  const { raster: whole, damaged } = await decodeImage(await readFile(input.path), input.limits, { maxSide: OUTPUT_SIDE });
  const part = boxOfFractions(whole, options.crop ?? { x: 0, y: 0, width: 1, height: 1 });
  const raster = cropRaster(whole, part);
  progress(10, 'finding the subject');
  const { subject, confidence, model } = await separate(raster, input, progress);
  const box = boxOf(subject);
  if (!box) throw noSubject('nothing is left of it');
  progress(75, 'composing');
  const files = await composeFiles(subject, box, options, input.limits, input.outputFolder);
  progress(100, 'written');
  const { width, height } = whole;
  return {
    files,
    coverage: (coverageOf(subject) * part.width * part.height) / (width * height),
    box: { x: (part.x + box.x) / width, y: (part.y + box.y) / height, width: box.width / width, height: box.height / height },
    confidence,
    damaged,
    model,
  };
}

/** The picture with the subject's alpha, and with colours at its edge that are the subject's alone. */
export async function separate(raster: Raster, { options, model }: Pick<CutOutInput, 'model'> & { options: { feather: number } }, progress: Progress): Promise<{ subject: Raster; confidence: number; model: ModelFacts | null }> {
  const { width, height } = raster;
  if (transparentShare(raster) > TRANSPARENT_SHARE) {
    const own = feather(alphaOf(raster), width, height, options.feather);
    return { subject: withAlpha(raster, own), confidence: 1, model: null };
  }
  const picture = onWhite(raster);
  const found: Subject & { model?: ModelFacts } = model ? await askModel(model.path, picture) : findSubject(await shrink(picture, SEARCH_SIDE));
  progress(50, 'refining the edges');
  const guide = await shrink(picture, GUIDE_SIDE);
  const mask = model ? smoothOutline(found.mask) : found.mask;
  const searched = Math.min(Math.max(mask.width, mask.height), SEARCH_SIDE);
  const cells = (raster: Raster) => Math.max(1, Math.max(raster.width, raster.height) / searched);
  const alpha = guidedAlpha(mask, guide, picture, Math.max(2, Math.round(REACH * cells(guide))));
  progress(65, 'cleaning the edges');
  const subject = separateEdges(picture, alpha, Math.round(4 * REACH * cells(picture)));
  const soft = options.feather > 0 ? withAlpha(subject, feather(alphaOf(subject), width, height, options.feather)) : subject;
  return { subject: soft, confidence: found.confidence, model: found.model ?? null };
}

function transparentShare({ channels, data }: Raster): number {
  if (channels === 3) return 0;
  let opacity = 0;
  for (let k = 3; k < data.length; k += 4) opacity += data[k]!;
  return 1 - opacity / 255 / (data.length / 4);
}

function alphaOf({ data }: Raster): Uint8Array {
  const alpha = new Uint8Array(data.length / 4);
  for (let i = 0; i < alpha.length; i++) alpha[i] = data[i * 4 + 3]!;
  return alpha;
}

function withAlpha(raster: Raster, alpha: Uint8Array): Raster {
  const data = new Uint8Array(raster.data);
  for (let i = 0; i < alpha.length; i++) data[i * 4 + 3] = alpha[i]!;
  return { ...raster, data };
}

const coverageOf = (subject: Raster) => 1 - transparentShare(subject);
