import { existsSync } from 'node:fs';
import { checksumOf, hasRuntime, installRuntime } from '../../../compute/cut-out/model-file.ts';
import type { Provider } from '../../define.ts';
import { cutOutImage } from '../cut-out.ts';
import type { Parameters, Result } from '../parameters.ts';

/** A model of the U²-Net family finds the subject, on this machine; the user brings its weights. */
export const u2net: Provider<Parameters, Result> = {
  name: 'u2net',
  version: '2',
  unavailable({ U2NET_MODEL_PATH: path }) {
    if (!path) return `Set U2NET_MODEL_PATH to an ONNX file of U²-Net, U²-Netp or IS-Net, and install its runtime: ${installRuntime}`;
    if (!existsSync(path)) return 'Expected a model in the file that U2NET_MODEL_PATH names but there is no such file';
    return hasRuntime() ? null : `The runtime for models is not installed. Run: ${installRuntime}`;
  },
  modelChecksum: async ({ U2NET_MODEL_PATH: path }) => (path ? checksumOf(path) : null),
  run: (run) => cutOutImage(run, { path: run.config.U2NET_MODEL_PATH! }),
};
