import type { Provider } from '../../define.ts';
import { cutOutImage } from '../cut-out.ts';
import type { Parameters, Result } from '../parameters.ts';

/** A model of the U²-Net family finds the subject, on this machine; the user brings its weights. */
export const u2net: Provider<Parameters, Result> = {
  name: 'u2net',
  version: '1',
  unavailable: ({ U2NET_MODEL_PATH }) => (U2NET_MODEL_PATH ? null : 'Set U2NET_MODEL_PATH to an ONNX file of U²-Net, U²-Netp or IS-Net, and install its runtime: npm install --ignore-scripts onnxruntime-node'),
  run: (run) => cutOutImage(run, { path: run.config.U2NET_MODEL_PATH! }),
};
