import { randomInt } from 'node:crypto';
import { open } from 'node:fs/promises';
import { imageFormats, sniffFormat } from '../../compute/sniff.ts';
import { asProviderError } from '../../http/outward.ts';
import type { ProviderResult, Run } from '../define.ts';
import { limits, type Parameters, type Result } from './parameters.ts';

/** A picture that a provider made, in a file of any name. */
export interface Picture {
  path: string;
  model: string;
  /** Null where the provider knows no seeds. */
  seed: number | null;
  revisedPrompt?: string | null | undefined;
}

interface Maker {
  provider: string;
  /** So many are made at a time. */
  atOnce: number;
  /** Makes the picture of this position; `path` is where its file may go. */
  make(position: number, path: string): Promise<Picture>;
}

/**
 * Makes the pictures that are still missing, and publishes each as soon as it exists. When one fails no other is begun, but those that
 * are under way, and paid for, are waited for and kept.
 */
export async function makePictures(run: Run<Parameters>, { provider, atOnce, make }: Maker): Promise<ProviderResult<Result>> {
  const { count, prompt, negativePrompt, style } = run.parameters;
  const missing = Array.from({ length: count }, (_, position) => position).filter((position) => !run.published.has(position));
  const failures: unknown[] = [];
  const report = () => run.progress((100 * run.published.size) / count, run.published.size === count ? 'done' : `picture ${run.published.size + 1} of ${count}`);

  async function makeSome(): Promise<void> {
    for (let position = missing.shift(); position !== undefined && failures.length === 0; position = missing.shift()) {
      try {
        const { path, model, seed, revisedPrompt = null } = await make(position, `${run.outputFolder}/picture-${position}`);
        const origin = { provider, model, prompt, negativePrompt, revisedPrompt, seed, style };
        await run.publish(position, { path, filename: `${nameOf(prompt)}-${position + 1}.${await extensionOf(path)}`, details: { origin } });
        report();
      } catch (error) {
        failures.push(error);
      }
    }
  }
  report();
  await Promise.all(Array.from({ length: atOnce }, makeSome));
  run.signal.throwIfAborted();
  if (failures.length > 0) throw failures[0];
  return { result: { outputs: [] } };
}

/** The seed of each position. One that nobody asked for is drawn once for the job, however many attempts it takes. */
export async function chooseSeeds(run: Run<Parameters>): Promise<(position: number) => number> {
  const first = run.parameters.seed ?? Number(run.remembered.get('seed') ?? randomInt(limits.maxSeed));
  if (run.parameters.seed === null) await run.remember('seed', String(first));
  return (position) => (first + position) % (limits.maxSeed + 1);
}

/** The prompt for a model that takes nothing else, with the style said in words. */
export const promptOf = ({ prompt, style }: Parameters): string => (style ? `${prompt}. Style: ${style.toLowerCase()}` : prompt);

const maxPictureBytes = 50_000_000;

/** Fetches a picture that a provider's answer names. */
export async function fetchPicture({ http, signal, config }: Run<Parameters>, provider: string, url: string, path: string): Promise<void> {
  await http.download(url, { path, maxBytes: maxPictureBytes, timeoutMs: config.PROVIDER_TIMEOUT, signal, accept: 'image/*' }).catch((error: unknown) => {
    throw asProviderError(provider, error);
  });
}

/** The first words of a prompt as a file name, which search reads too. */
const nameOf = (prompt: string): string => prompt.toLowerCase().match(/[\p{L}\p{N}]+/gu)?.slice(0, 8).join('-').slice(0, 80) || 'picture';

async function extensionOf(path: string): Promise<string> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(64) });
    const sniffed = sniffFormat(buffer.subarray(0, bytesRead));
    return sniffed?.accepted ? imageFormats[sniffed.format].extension : 'bin';
  } finally {
    await file.close();
  }
}
