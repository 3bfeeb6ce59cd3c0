import { z } from 'zod';
import { ConfigError, type Config } from '../config.ts';
import { UserError } from '../errors.ts';
import { analyze } from './analyze/operation.ts';
import { cloneVoice } from './clone-voice/operation.ts';
import type { Operation, Provider } from './define.ts';
import { generate } from './generate/operation.ts';
import { model3d } from './model-3d/operation.ts';
import { removeBackground } from './remove-background/operation.ts';

/** Every operation this server knows. A new one is a folder and a line here. */
export const operations: readonly Operation[] = [analyze, removeBackground, generate, model3d, cloneVoice];

/** The operation of that name. A name that is not in the list is a bug or a row of a newer version. */
export function getOperation(name: string): Operation {
  const operation = operations.find((known) => known.name === name);
  if (!operation) throw new Error(`Expected an operation of ${operations.map((known) => known.name).join(', ')} but received ${name}`);
  return operation;
}

/** After `softMs` a job of this operation is asked to stop, after `hardMs` it is stopped. */
export function timeoutsOf(name: string, { JOB_TIMEOUT, JOB_HARD_TIMEOUT, JOB_TIMEOUTS }: Config): { softMs: number; hardMs: number } {
  const softMs = JOB_TIMEOUTS[name] ?? operations.find((known) => known.name === name)?.timeoutMs ?? JOB_TIMEOUT;
  return { softMs, hardMs: softMs + JOB_HARD_TIMEOUT - JOB_TIMEOUT };
}

/** Settings that name operations name those that there are. */
export function checkOperationSettings({ JOB_TIMEOUTS }: Config): void {
  const names = operations.map(({ name }) => name);
  const unknown = Object.keys(JOB_TIMEOUTS).filter((name) => !names.includes(name));
  if (unknown.length > 0) throw new ConfigError([`JOB_TIMEOUTS: Expected names of ${names.join(', ')} but received ${unknown.join(', ')}`]);
}

/** What else a result depends on than its input: the provider's version, and the model where the settings choose one. */
export const versionOf = ({ version, model }: Provider<unknown, unknown>, config: Config): string => [version, model?.(config)].filter(Boolean).join(' ');

/** The provider that would run without a wish: the one the settings name, else the first that can run. `null`: none can. */
export function defaultProvider(operation: Operation, config: Config): Provider<unknown, unknown> | null {
  const named = operation.preferred?.(config);
  if (named) return operation.providers.find((provider) => provider.name === named) ?? null;
  return firstAvailable(operation, config);
}

const firstAvailable = ({ providers }: Operation, config: Config) => providers.find((provider) => provider.unavailable(config) === null) ?? null;

/** The provider that was asked for, or the default; "auto" is what it is in the settings. Throws PROVIDER_UNAVAILABLE with the reason. */
export function chooseProvider(operation: Operation, wished: string | null | undefined, config: Config): Provider<unknown, unknown> {
  const provider = wished === 'auto' ? firstAvailable(operation, config) : wished ? operation.providers.find((known) => known.name === wished) : defaultProvider(operation, config);
  const names = operation.providers.map((known) => known.name).join(', ');
  if (!provider) {
    throw new UserError('PROVIDER_UNAVAILABLE', wished && wished !== 'auto' ? `Expected a provider of ${operation.name} (${names}) but received "${wished}"` : `No provider of ${operation.name} can run on this server`, {
      hint: 'The query `operations` tells what this server can do, and why not',
    });
  }
  const reason = provider.unavailable(config);
  if (reason) throw new UserError('PROVIDER_UNAVAILABLE', `The provider "${provider.name}" cannot run on this server: ${reason}`);
  return provider;
}

/** The result of an operation that makes files names them. */
export const makesFiles = ({ result }: Operation): boolean => result instanceof z.ZodObject && 'outputs' in result.shape;
