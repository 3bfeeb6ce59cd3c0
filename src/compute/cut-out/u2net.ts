import type * as Runtime from 'onnxruntime-node';
import { ProviderError } from '../../errors.ts';
import type { Raster } from '../raster.ts';
import { checksumOf, installRuntime, RUNTIME } from './model-file.ts';
import { plane } from './plane.ts';
import { resize } from './resize.ts';
import { noSubject, type Subject } from './subject.ts';

/** What a result says of the model that made it. */
export interface ModelFacts {
  sha256: string;
  /** The square it looks at, in pixels. */
  side: number;
}

interface Model {
  session: Runtime.InferenceSession;
  facts: ModelFacts;
}

/** What a model with a free input size was trained on. */
const USUAL_SIDE = 320;
/** Models of this side and above are IS-Net, which wants its colours about zero, not whitened. */
const ISNET_SIDE = 1024;
/** A model that nowhere says more than this has found nothing; stretching its answer to 0..1 would make a subject of noise. */
const LEAST_ANSWER = 0.3;

let opened: { path: string; sha256: string; model: Promise<Model> } | null = null;

/** Loaded once in each child, and again where the file has changed. A failed attempt is forgotten. */
async function openModel(path: string): Promise<Model> {
  const sha256 = await checksumOf(path);
  if (!sha256) throw new ProviderError('MODEL_MISSING', 'Expected a model in the file that U2NET_MODEL_PATH names but there is no such file', { retryable: false, hint: 'Set U2NET_MODEL_PATH to an ONNX file of U²-Net, U²-Netp or IS-Net' });
  if (opened?.path === path && opened.sha256 === sha256) return opened.model;
  const model = loadModel(path, sha256);
  opened = { path, sha256, model };
  model.catch(() => (opened = null));
  return model;
}

async function loadModel(path: string, sha256: string): Promise<Model> {
  const { InferenceSession } = await loadRuntime();
  // The arena would keep 500 MB for the next run. Two threads for each of two children would only get in each other's way.
  const options = { enableCpuMemArena: false, intraOpNumThreads: 1, logSeverityLevel: 3 } as const;
  const session = await InferenceSession.create(path, options).catch((cause: unknown) => {
    throw new ProviderError('MODEL_MISSING', `The model that U2NET_MODEL_PATH names cannot be read: ${messageOf(cause).replaceAll(path, 'it')}`, { retryable: false, hint: 'Compare its checksum with the published one and download it again', cause });
  });
  const input = session.inputMetadata[0];
  const side = input?.isTensor ? input.shape[3] : undefined;
  return { session, facts: { sha256, side: typeof side === 'number' && side > 0 ? side : USUAL_SIDE } };
}

async function loadRuntime(): Promise<typeof Runtime> {
  try {
    return (await import(RUNTIME)) as typeof Runtime;
  } catch (cause) {
    throw new ProviderError('MODEL_MISSING', `The runtime for models is not installed: ${RUNTIME}`, { retryable: false, hint: `Run: ${installRuntime}`, cause });
  }
}

/** What a model says of a picture: an alpha matte as large as the model's own square, stretched over the picture. Throws NO_SUBJECT. */
export async function askModel(path: string, picture: Raster): Promise<Subject & { model: ModelFacts }> {
  const { session, facts } = await openModel(path);
  const { Tensor } = await loadRuntime();
  const { side } = facts;
  const square = await resize(picture, side, side);
  const tensor = new Tensor('float32', toInput(square), [1, 3, side, side]);
  const output = (await session.run({ [session.inputNames[0]!]: tensor }))[session.outputNames[0]!];
  const [height, width] = output?.dims.slice(-2) ?? [];
  if (!output || !(output.data instanceof Float32Array) || !width || !height || output.data.length !== width * height) {
    throw new ProviderError('MODEL_MISSING', `Expected one plane of numbers from the model but received ${output?.type ?? 'nothing'} of ${output?.dims.join(' x ') ?? 'no shape'}`, { retryable: false, hint: 'Use U²-Net, U²-Netp or IS-Net' });
  }
  return { ...readMatte(output.data, width, height), model: facts };
}

/** Planes of red, green and blue as the model was trained on: U²-Net whitened by ImageNet's mean and deviation after its own maximum, IS-Net minus a half. */
function toInput({ width, channels, data }: Raster): Float32Array {
  const count = data.length / channels;
  const isIsnet = width >= ISNET_SIDE;
  let highest = 1;
  if (!isIsnet) for (let k = 0; k < data.length; k++) if (data[k]! > highest) highest = data[k]!;
  const scale = isIsnet ? 255 : highest;
  const mean = isIsnet ? [0.5, 0.5, 0.5] : [0.485, 0.456, 0.406];
  const deviation = isIsnet ? [1, 1, 1] : [0.229, 0.224, 0.225];
  const input = new Float32Array(count * 3);
  for (let c = 0; c < 3; c++) for (let i = 0, k = c; i < count; i++, k += channels) input[c * count + i] = (data[k]! / scale - mean[c]!) / deviation[c]!;
  return input;
}

function readMatte(data: Float32Array, width: number, height: number): Subject {
  let low = Infinity, high = -Infinity;
  for (const value of data) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (!(high >= LEAST_ANSWER) || high - low < 1e-3) throw noSubject('the model saw none');
  const mask = plane(width, height);
  let inside = 0, doubt = 0;
  for (let i = 0; i < data.length; i++) {
    const value = (mask.data[i] = (data[i]! - low) / (high - low));
    inside += value;
    doubt += value * (1 - value);
  }
  return { mask, confidence: Math.max(0, 1 - (2 * doubt) / inside) };
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
