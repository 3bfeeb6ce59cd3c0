import { imageLimits } from '../../compute/limits.ts';
import type { Config } from '../../config.ts';
import type { InputFile, Provider, Run } from '../define.ts';
import type { AnalyzeResult, Words } from './facts.ts';

export type AnalyzeParameters = Record<string, never>;

/** Somebody who has words for a picture. The measuring is not his: it is done for every provider alike. */
export interface Describer {
  name: string;
  version: string;
  unavailable(config: Config): string | null;
  /** Throws a `ProviderError` with `deferMs` when it could not answer now, so that nothing is measured in vain. */
  ready?(run: Run<AnalyzeParameters>): void;
  describe(image: InputFile, run: Run<AnalyzeParameters>): Promise<Words>;
}

/** Grows when a measuring function changes its answer, so that cached results of older code are not used. */
const measuringVersion = 'vd1.2';

/** Every image is measured from its pixels first, whoever describes it: search and similar work the same with any provider. */
export function measuredFirst(describer: Describer): Provider<AnalyzeParameters, AnalyzeResult> {
  return {
    name: describer.name,
    version: `${describer.version}+${measuringVersion}`,
    unavailable: (config) => describer.unavailable(config),
    async run(run) {
      const [image] = run.inputs;
      if (!image) throw new Error('Expected one image to analyze but received none');
      describer.ready?.(run);
      const { output: measurements, peakRssBytes } = await run.compute.run('measure', { path: image.path, limits: imageLimits(run.config) }, {
        signal: run.signal,
        timeoutMs: run.timeoutMs,
        onProgress: (percent, stage) => run.progress(percent * 0.8, stage),
      });
      run.progress(80, 'describing');
      const words = await describer.describe(image, run);
      const source = { ...words.source, version: `${words.source.version}+${measuringVersion}` };
      return { result: { measurements, words: { ...words, source } }, peakMemoryBytes: peakRssBytes };
    },
  };
}
