import type { Provider } from '../../define.ts';
import { makeModels, taskInput } from '../make-models.ts';
import type { Parameters, Result } from '../parameters.ts';

/** No weights: a blown-up silhouette or a relief, no reconstruction. One picture after the other, so that a long job leaves room for others. */
export const local: Provider<Parameters, Result> = {
  name: 'local',
  version: '2',
  unavailable: () => null,
  run: (run) =>
    makeModels(run, 1, async (picture) => {
      const { output, peakRssBytes } = await run.compute.run('makeModel', { ...taskInput(run, picture), options: run.parameters }, { signal: run.signal, timeoutMs: run.timeoutMs, onProgress: picture.progress });
      return { ...output, peakMemoryBytes: peakRssBytes };
    }),
};
