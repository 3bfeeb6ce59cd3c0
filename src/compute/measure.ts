import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { captionImage, type Caption } from './caption.ts';
import { readCodes, type Code } from './codes.ts';
import { decodeImage, type DecodeLimits } from './decode.ts';
import { measureColors, type Colors } from './palette.ts';
import { minHashQuality, pdq } from './pdq.ts';
import { thumbHash } from './placeholder.ts';
import { measureQuality, type Quality } from './quality.ts';
import type { Raster } from './raster.ts';
import { areaAverage, onWhite } from './resample.ts';
import { measureStatistics } from './statistics.ts';
import { tagImage, type Tag } from './tags.ts';
import { trimBorder } from './trim.ts';
import { vd1, vd1Model } from './vd1.ts';

/** Everything the pixels of a picture say, as plain JSON. */
export interface Measurements {
  /** Size of the whole picture, upright. */
  width: number;
  height: number;
  colors: Colors;
  quality: Quality;
  /** ThumbHash in base64. */
  placeholder: { thumbHash: string };
  /**
   * PDQ of the picture and of the picture without its border: 64 hex digits each. Below a quality of 50 (of 100) they mean little; where too
   * little is within the border for a hash, the second is as the first.
   */
  hashes: { pdq: string; pdqTrimmed: string; pdqQuality: number };
  embedding: { model: typeof vd1Model; values: number[] };
  tags: Tag[];
  caption: Caption;
  codes: Code[];
}

/** Codes need pixels, everything else was calibrated at 512. A larger side finds smaller codes and costs more time. */
const codeSide = 1024;
const measureSide = 512;
const paletteSide = 128;
const opaqueFrom = 250;

type Progress = (percent: number, stage: string) => void;

/**
 * Measures the image in a file: decoded once, everything derived from that. Stages are told as they begin.
 * Throws what `decodeImage` throws for bytes that are no image or break a limit.
 */
export async function measureImage(input: { path: string; limits: DecodeLimits }, progress: Progress): Promise<Measurements> {
  progress(0, 'decoding');
  const { raster, width, height, frames } = await decodeImage(await readFile(input.path), input.limits, { maxSide: codeSide });
  progress(50, 'reading codes');
  const codes = await readCodes(onWhite(raster));
  progress(75, 'measuring');
  return measureRaster(await shrink(raster), { width, height, frames, codes });
}

/** Measures a raster whose longer side is at most 512; `whole` tells of the picture it was made from. Pure. */
export function measureRaster(raster: Raster, whole: { width: number; height: number; frames: number; codes: Code[] }): Measurements {
  // What is transparent cannot be seen, so it must not be measured: hashes and vector are those of the picture on a white page.
  const page = onWhite(raster);
  const trimmed = trimBorder(page);
  const statistics = measureStatistics(page);
  const colors = measureColors(areaAverage(raster, paletteSide, paletteSide));
  const facts = { ...whole, transparentShare: transparentShare(raster), statistics, colors };
  const tags = tagImage(facts);
  const outer = pdq(page);
  const inner = trimmed === page ? outer : pdq(trimmed);
  return {
    width: whole.width,
    height: whole.height,
    colors,
    quality: measureQuality(statistics),
    placeholder: { thumbHash: thumbHash(raster) },
    hashes: { pdq: outer.hash, pdqTrimmed: (inner.quality < minHashQuality ? outer : inner).hash, pdqQuality: outer.quality },
    embedding: { model: vd1Model, values: vd1(trimmed) },
    tags,
    caption: captionImage(facts, tags),
    codes: whole.codes,
  };
}

async function shrink({ width, height, channels, data }: Raster): Promise<Raster> {
  const shrunk = await sharp(data, { raw: { width, height, channels } })
    .resize({ width: measureSide, height: measureSide, fit: 'inside', withoutEnlargement: true })
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { width: shrunk.info.width, height: shrunk.info.height, channels, data: shrunk.data };
}

function transparentShare({ channels, data }: Raster): number {
  if (channels === 3) return 0;
  let transparent = 0;
  for (let k = 3; k < data.length; k += 4) if (data[k]! < opaqueFrom) transparent++;
  return transparent / (data.length / 4);
}
