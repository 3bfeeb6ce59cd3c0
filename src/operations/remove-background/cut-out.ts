import { parse } from 'node:path';
import { imageLimits } from '../../compute/limits.ts';
import type { InputFile, ProviderResult, Run } from '../define.ts';
import { type Parameters, type Result, shapeOf } from './parameters.ts';

const extensions: Record<string, string> = { 'image/png': 'png', 'image/webp': 'webp', 'image/jpeg': 'jpg' };

/** Cuts out in a compute child, by a model or without one: only where the subject is comes from somebody else. */
export async function cutOutImage(run: Run<Parameters>, model: { path: string } | null): Promise<ProviderResult<Result>> {
  const { backgroundColor, onImage, aspectRatio, ...options } = run.parameters;
  const [image, behind] = run.inputs;
  if (!image || (onImage && !behind)) throw new Error(`Expected ${onImage ? 'an image and its background' : 'an image'} but received ${run.inputs.length} files`);
  const background = onImage ? { path: behind!.path } : backgroundColor ? { color: backgroundColor } : null;
  const { output, peakRssBytes } = await run.compute.run(
    'cutOut',
    { path: image.path, limits: imageLimits(run.config), outputFolder: run.outputFolder, model, options: { ...options, background, aspectRatio: aspectRatio ? shapeOf(aspectRatio) : null } },
    { signal: run.signal, timeoutMs: run.timeoutMs, onProgress: run.progress },
  );
  const { files, coverage, box, confidence } = output;
  return {
    result: { outputs: [], kinds: files.map((file) => file.kind), coverage, box: { ...box, pixels: inPixels(box, image) }, confidence, model: output.model },
    outputs: files.map(({ kind, path, contentType }) => ({ path, filename: `${parse(image.filename).name}-${kind}.${extensions[contentType] ?? 'bin'}` })),
    peakMemoryBytes: peakRssBytes,
  };
}

function inPixels({ x, y, width, height }: { x: number; y: number; width: number; height: number }, image: InputFile) {
  const [across, down] = [image.width ?? 0, image.height ?? 0];
  return { x: Math.round(x * across), y: Math.round(y * down), width: Math.round(width * across), height: Math.round(height * down) };
}
