import type { Provider } from '../../define.ts';
import type { Parameters, Result } from '../parameters.ts';
import { chooseSeeds, makePictures } from '../pictures.ts';

const model = 'darkroom-procedural-1';

/** No weights and no network: a program draws scenes, chosen by the words of the prompt. The same prompt, seed, size and style give the same picture. */
export const local: Provider<Parameters, Result> = {
  name: 'local',
  version: model,
  unavailable: () => null,
  async run(run) {
    const { prompt, negativePrompt, style, width, height } = run.parameters;
    const seedOf = await chooseSeeds(run);
    let peakMemoryBytes = 0;
    const answer = await makePictures(run, {
      provider: 'local',
      atOnce: 2,
      async make(position, path) {
        const seed = seedOf(position);
        const { peakRssBytes } = await run.compute.run('imagine', { prompt, negativePrompt, style, width, height, seed, target: path }, { signal: run.signal, timeoutMs: run.timeoutMs });
        peakMemoryBytes = Math.max(peakMemoryBytes, peakRssBytes);
        return { path, model, seed };
      },
    });
    return { ...answer, peakMemoryBytes };
  },
};
