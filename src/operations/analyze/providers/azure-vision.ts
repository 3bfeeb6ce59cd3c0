import { setTimeout as sleep } from 'node:timers/promises';
import { ComputerVisionClient } from '@azure/cognitiveservices-computervision';
import { ApiKeyCredentials, deserializationPolicy, type HttpClient, HttpHeaders, signingPolicy } from '@azure/ms-rest-js';
import { z } from 'zod';
import type { Acceptance } from '../../../compute/encode.ts';
import { imageLimits } from '../../../compute/limits.ts';
import type { Config } from '../../../config.ts';
import { ProviderError } from '../../../errors.ts';
import type { Account } from '../../../http/http.ts';
import type { InputFile, Run } from '../../define.ts';
import type { Words } from '../facts.ts';
import type { AnalyzeParameters, Describer } from '../measured.ts';
import { imageAnswer, readAnswer, readStarted, toText, toWords } from './azure-answers.ts';

/** learn.microsoft.com/azure/ai-services/computer-vision: input requirements of Image Analysis 3.2 and Read 3.2, the stricter of both. */
const accepts: Acceptance = { formats: ['JPEG', 'PNG', 'GIF', 'BMP'], maxBytes: 4_000_000, minSide: 50, maxSide: 10_000 };
/** Each one is billed. Colours are measured here, so nobody would read Azure's. */
const visualFeatures = ['Description', 'Tags', 'Objects', 'Faces', 'Brands', 'Categories', 'Adult', 'ImageType'] as const;
/** Once the picture is described and paid for, reading its text waits for a pause rather than throwing all away. */
const readPatienceMs = 30_000;
const pollMs = 1_000;

const name = 'azure-vision';
const version = '3.2';
const needs = 'Needs AZURE_VISION_ENDPOINT and AZURE_VISION_KEY';

/** Azure Computer Vision 3.2: caption, tags, objects, faces, brands, landmarks, categories, moderation and text. */
export const azureVision: Describer = {
  name,
  version,
  unavailable: ({ AZURE_VISION_ENDPOINT: endpoint, AZURE_VISION_KEY: key }) => (endpoint && key ? null : needs),
  ready: ({ http, config }) => http.checkGate(accountOf(config)),
  describe: (image, run) => describeByAzure(image, run, 0),
};

/** Azure's words for a picture. It waits up to `patienceMs` when Azure asks for a pause. When only the text fails, the rest stands and says so. */
export async function describeByAzure(image: InputFile, run: Run<AnalyzeParameters>, patienceMs: number): Promise<Words> {
  const { compute, config, signal, timeoutMs, progress } = run;
  const { output } = await compute.run('encode', { path: image.path, limits: imageLimits(config), accepts }, { signal, timeoutMs });
  const analysis = await ask(signal, imageAnswer, () => connect(run, patienceMs).analyzeImageInStream(output.bytes, { visualFeatures: [...visualFeatures], details: ['Landmarks'] }));
  progress(90, 'reading text');
  const text = await readText(output.bytes, run).catch((error: unknown) => {
    signal.throwIfAborted();
    if (error instanceof ProviderError) return error;
    throw error;
  });
  const words = { ...toWords(analysis), source: { provider: name, version: analysis.modelVersion ? `${version} of ${analysis.modelVersion}` : version } };
  if (!(text instanceof ProviderError)) return { ...words, text, isPartial: false };
  return { ...words, text: null, isPartial: true, unavailable: [...words.unavailable, { feature: 'text', reason: text.message }] };
}

async function readText(bytes: Uint8Array, run: Run<AnalyzeParameters>): Promise<NonNullable<Words['text']>> {
  const { signal, config } = run;
  const client = connect(run, readPatienceMs);
  const { operationLocation } = await ask(signal, readStarted, () => client.readInStream(bytes));
  // Only the id is taken from there: a key does not follow an address that came with an answer.
  const id = /[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}/i.exec(operationLocation.split('/').at(-1) ?? '')?.[0];
  if (!id) throw new ProviderError('PROVIDER_ERROR', `Expected an Operation-Location of ${name} that ends with an id but received another`, { retryable: true });
  for (const end = Date.now() + config.PROVIDER_TIMEOUT; Date.now() < end; ) {
    await sleep(pollMs, undefined, { signal }).catch(() => signal.throwIfAborted());
    const answer = await ask(signal, readAnswer, () => client.getReadResult(id));
    if (answer.status === 'succeeded') return toText(answer);
    if (answer.status === 'failed') throw new ProviderError('PROVIDER_REFUSED', `${name} could not read the text of this picture`, { retryable: false });
  }
  throw new ProviderError('PROVIDER_TIMEOUT', `Expected ${name} to have read the text within ${config.PROVIDER_TIMEOUT / 1_000} s but it has not`, { retryable: true });
}

/** A parsed answer, or a `ProviderError`. */
async function ask<Schema extends z.ZodType>(signal: AbortSignal, schema: Schema, call: () => Promise<unknown>): Promise<z.infer<Schema>> {
  try {
    return schema.parse(await call());
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof ProviderError) throw error;
    // Errors of the SDK carry the request, and with it the key: they end here.
    const cause = error instanceof z.ZodError ? error : undefined;
    throw new ProviderError('PROVIDER_ERROR', `Expected an answer of ${name} as its documentation says but received something else`, { retryable: true, hint: 'Check that AZURE_VISION_ENDPOINT is the endpoint of a Computer Vision resource', cause });
  }
}

function accountOf({ AZURE_VISION_KEY: key }: Config): Account {
  if (!key) throw new ProviderError('PROVIDER_AUTH', `${name} is not set up on this server any more`, { retryable: false, hint: needs });
  return { provider: name, key, hint: 'Check AZURE_VISION_KEY and AZURE_VISION_ENDPOINT: key and endpoint must be of the same resource' };
}

/** Azure's client with our way out in place of its own, and without its policies for retries, redirects and proxies. */
function connect({ config, http, signal }: Run<AnalyzeParameters>, patienceMs: number): ComputerVisionClient {
  const account = accountOf(config);
  const httpClient: HttpClient = {
    async sendRequest(request) {
      const { url, method, headers, body } = request;
      const answer = await http.call(account, { url, method, headers: headers.rawHeaders(), body, signal, timeoutMs: config.PROVIDER_TIMEOUT, patienceMs });
      return { request, status: answer.status, headers: new HttpHeaders(answer.headers), bodyAsText: answer.text };
    },
  };
  const credentials = new ApiKeyCredentials({ inHeader: { 'Ocp-Apim-Subscription-Key': account.key } });
  const endpoint = (config.AZURE_VISION_ENDPOINT ?? '').replace(/\/+$/, '');
  return new ComputerVisionClient(credentials, endpoint, { httpClient, requestPolicyFactories: [signingPolicy(credentials), deserializationPolicy()] });
}
