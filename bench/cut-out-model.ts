import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type * as Runtime from 'onnxruntime-node';
import sharp from 'sharp';
import { drawSample } from '../src/compute/draw.ts';
import { cutOut, type CutOutInput } from '../src/compute/cut-out/index.ts';
import { hasRuntime, RUNTIME } from '../src/compute/cut-out/model-file.ts';
import { colorModel } from '../test/fixtures/onnx.ts';
import { type Bench, median, round, type Row } from './figure.ts';

export const limits = { maxSide: 16384, maxPixels: 64e6, maxAvifPixels: 32e6, maxFrames: 1000 };
export const options: CutOutInput['options'] = { output: 'CUTOUT', format: 'PNG', background: null, trim: true, padding: 0.04, aspectRatio: null, feather: 0, shadow: false, crop: null };

const rounds = 7;

/** The model path at 1 MP: what the session alone costs, what comes after it, and the encoder. `U2NET_MODEL_PATH` names real weights; without them a model of one layer stands in, because only what is around the session is asked about. */
export async function modelRows({ folder }: Bench): Promise<Row[]> {
  if (!hasRuntime()) return [];
  const given = process.env['U2NET_MODEL_PATH'];
  const model = given && existsSync(given) ? given : join(folder, 'model.onnx');
  if (model !== given) await writeFile(model, colorModel(320, [8, 0, -8], 0));
  const path = join(folder, 'megapixel.jpg');
  await writeFile(path, await sharp(await drawSample('red-car.jpg', { width: 1200 })).resize(1200, 833, { fit: 'cover' }).jpeg({ quality: 90 }).toBuffer());

  const { InferenceSession, Tensor } = (await import(RUNTIME)) as typeof Runtime;
  const session = await InferenceSession.create(model, { enableCpuMemArena: false, intraOpNumThreads: 1 });
  const input = session.inputMetadata[0];
  const side = input?.isTensor && typeof input.shape[3] === 'number' ? input.shape[3] : 320;
  const tensor = new Tensor('float32', new Float32Array(3 * side * side), [1, 3, side, side]);

  const [bare, whole, stages]: [number[], number[], Record<string, number>[]] = [[], [], []];
  const used = () => (({ user, system }) => (user + system) / 1000)(process.cpuUsage());
  for (let k = 0; k <= rounds; k++) {
    let before = used();
    await session.run({ [session.inputNames[0]!]: tensor });
    const alone = used() - before;

    const stage: Record<string, number> = {};
    let current = '';
    const start = (before = used());
    await cutOut({ path, limits, outputFolder: folder, model: { path: model }, options }, (_percent, name) => {
      const now = used();
      if (current) stage[current] = now - before;
      before = now;
      current = name;
    });
    // The first one loads the model and compiles.
    if (k === 0) continue;
    bare.push(alone);
    whole.push(used() - start);
    stages.push(stage);
  }
  const of = (...names: string[]) => median(stages.map((stage) => names.reduce((sum, name) => sum + (stage[name] ?? 0), 0)));
  const rest = median(whole.map((ms, k) => ms - bare[k]!));
  const part = (what: string, ms: number): Row => ({ what: `u2net at 1 MP, ${what}`, ours: `${round(ms, 0)} ms`, beside: '', ratio: '', bar: '', holds: null });
  return [
    {
      what: 'u2net at 1 MP, everything but the session', ours: `${round(rest, 0)} ms`, beside: '400 ms', ratio: round(rest / 400), bar: 'under 400 ms', holds: rest < 400,
      note: `Processor time of a whole cut-out minus that of a bare session, median of ${rounds}; JPEG in, trimmed PNG out. ${model === given ? 'The model of U2NET_MODEL_PATH.' : 'A model of one layer stands in for the weights.'}`,
    },
    part('the bare session', median(bare)),
    part('decoding', of('decoding')),
    part('refinement of the edges', of('refining the edges', 'cleaning the edges')),
    part('composing and encoding', of('composing')),
  ];
}
