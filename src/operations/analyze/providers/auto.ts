import { ProviderError } from '../../../errors.ts';
import type { Describer } from '../measured.ts';
import { azureVision, describeByAzure } from './azure-vision.ts';
import { local } from './local.ts';

/** A pause that Azure asks for is waited for up to this long: its words are worth more than a minute. */
const patienceMs = 60_000;

/** Azure's words; when it fails the local ones, with the reason said. */
export const auto: Describer = {
  name: 'auto',
  version: azureVision.version,
  unavailable: (config) => azureVision.unavailable(config),
  ready(run) {
    try {
      azureVision.ready?.(run);
    } catch (error) {
      // A pause is worth waiting for. An outage is not: `describe` meets it again, and falls back.
      if (error instanceof ProviderError && error.code === 'PROVIDER_RATE_LIMITED') throw error;
    }
  },
  async describe(image, run) {
    try {
      return await describeByAzure(image, run, patienceMs);
    } catch (error) {
      run.signal.throwIfAborted();
      if (!(error instanceof ProviderError)) throw error;
      const words = await local.describe(image, run);
      const reason = `azure-vision could not help: ${error.message}`;
      // Azure would refuse the same picture again; anything else may be over by the next time.
      return { ...words, isPartial: error.code !== 'PROVIDER_REFUSED', unavailable: words.unavailable.map(({ feature }) => ({ feature, reason })) };
    }
  },
};
