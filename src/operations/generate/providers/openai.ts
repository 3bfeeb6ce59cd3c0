import { writeFile } from 'node:fs/promises';
import { z } from 'zod';
import type { Config } from '../../../config.ts';
import { ProviderError } from '../../../errors.ts';
import type { Account } from '../../../http/http.ts';
import type { Provider } from '../../define.ts';
import type { Parameters, Result } from '../parameters.ts';
import { fetchPicture, makePictures, promptOf } from '../pictures.ts';

const name = 'openai';
const needs = 'Set OPENAI_API_KEY, and OPENAI_BASE_URL for another API of this kind';

/** platform.openai.com/docs/api-reference/images: gpt-image models send Base64, older ones and others an address. */
const answer = z.object({ data: z.array(z.object({ b64_json: z.base64().nullish(), url: z.string().nullish(), revised_prompt: z.string().nullish() })).min(1) });

/** OpenAI's models make these sizes only; whatever other models are behind such an API, they are asked for the size that was wished for. */
const sizes: [RegExp, [number, number][]][] = [
  [/^gpt-image/, [[1024, 1024], [1536, 1024], [1024, 1536]]],
  [/^dall-e-3/, [[1024, 1024], [1792, 1024], [1024, 1792]]],
  [/^dall-e-2/, [[1024, 1024], [512, 512], [256, 256]]],
];

/** OpenAI says that a picture may take up to two minutes. */
const pictureTimeoutMs = 180_000;
/** A picture in Base64. */
const maxBytes = 70_000_000;
/** The others of the job are made already, or under way: a pause is waited for. */
const patienceMs = 60_000;

/** Any API that generates images as OpenAI's does. One request for each picture: some models allow no more, and each appears when it exists. */
export const openai: Provider<Parameters, Result> = {
  name,
  version: '1',
  model: ({ OPENAI_IMAGE_MODEL }) => OPENAI_IMAGE_MODEL,
  unavailable: ({ OPENAI_API_KEY }) => (OPENAI_API_KEY ? null : needs),
  async run(run) {
    const { config, http, signal, parameters } = run;
    const account = accountOf(config);
    const model = config.OPENAI_IMAGE_MODEL;
    const { negativePrompt } = parameters;
    const prompt = negativePrompt ? `${promptOf(parameters)}. Without: ${negativePrompt}` : promptOf(parameters);
    return makePictures(run, {
      provider: name,
      atOnce: 4,
      async make(_position, path) {
        const { data } = await http.json(account, answer, {
          url: `${config.OPENAI_BASE_URL.replace(/\/+$/, '')}/images/generations`,
          method: 'POST',
          headers: { authorization: `Bearer ${account.key}` },
          body: { model, prompt, n: 1, size: sizeFor(model, parameters) },
          signal,
          timeoutMs: Math.min(pictureTimeoutMs, run.timeoutMs),
          maxBytes,
          patienceMs,
        });
        const [{ b64_json: base64, url, revised_prompt: revisedPrompt }] = data as [(typeof data)[number]];
        if (base64) await writeFile(path, Buffer.from(base64, 'base64'));
        else if (url) await fetchPicture(run, name, url, path);
        else throw new ProviderError('PROVIDER_ERROR', `Expected an image of ${name} as b64_json or url but received neither`, { retryable: true });
        return { path, model, seed: null, revisedPrompt };
      },
    });
  },
};

/** The nearest in shape, and among those in size. */
export function sizeFor(model: string, { width, height }: { width: number; height: number }): string {
  const possible = sizes.find(([pattern]) => pattern.test(model))?.[1];
  if (!possible) return `${width}x${height}`;
  const farness = ([across, down]: [number, number]) => Math.abs(Math.log(across / down / (width / height))) * 100 + Math.abs(Math.log((across * down) / (width * height)));
  return possible.reduce((best, size) => (farness(size) < farness(best) ? size : best)).join('x');
}

function accountOf({ OPENAI_API_KEY: key }: Config): Account {
  if (!key) throw new ProviderError('PROVIDER_AUTH', `${name} is not set up on this server any more`, { retryable: false, hint: needs });
  return { provider: name, key, hint: 'Check OPENAI_API_KEY, OPENAI_BASE_URL and OPENAI_IMAGE_MODEL: the key must be of that API and may use that model' };
}
