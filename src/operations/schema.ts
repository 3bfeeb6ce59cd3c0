import { z } from 'zod';
import type { Config } from '../config.ts';
import { builder } from '../graphql/builder.ts';
import type { Operation } from './define.ts';
import { defaultProvider, operations, timeoutsOf, versionOf } from './index.ts';

/** The name of an operation in the graph: `remove-background` is REMOVE_BACKGROUND. */
export const enumNameOf = (operation: string) => operation.toUpperCase().replaceAll('-', '_');

export const OperationName = builder.enumType('OperationName', {
  description: 'A kind of slow work.',
  values: Object.fromEntries(operations.map(({ name, description }) => [enumNameOf(name), { value: name, description }])),
});

const OperationProvider = builder.objectRef<{ name: string; version: string; reason: string | null; isDefault: boolean; modelChecksum: () => Promise<string | null> }>('OperationProvider').implement({
  description: 'Somebody who can do an operation.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'What to send as `options.provider`. There "auto" is known for every operation: the first provider that is available.' }),
    version: t.exposeString('version'),
    available: t.boolean({ description: 'Whether it can run on this server.', resolve: (provider) => provider.reason === null }),
    reason: t.exposeString('reason', { nullable: true, description: 'Why it cannot run, and what helps.' }),
    isDefault: t.exposeBoolean('isDefault', { description: 'It runs when no provider is asked for.' }),
    modelSha256: t.string({ nullable: true, description: 'Of the model file that it runs on this server, to be compared with the published one; null where it needs no file, or there is none.', resolve: (provider) => provider.modelChecksum() }),
  }),
});

const AssetKind = builder.enumType('AssetKind', {
  description: 'A kind of stored file.',
  values: { IMAGE: { description: 'A picture: `Image`.' }, MODEL_3D: { description: 'A 3D model: `Model3D`.' }, AUDIO: { description: 'A recording: `AudioClip`.' } } as const,
});

const OperationLimits = builder.objectRef<Operation>('OperationLimits').implement({
  description: 'What one job of an operation may be on this server.',
  fields: (t) => ({
    inputKind: t.field({ type: AssetKind, nullable: true, description: 'What its inputs are; null where it takes none.', resolve: ({ inputs }) => (inputs.max > 0 ? inputs.kind : null) }),
    minInputs: t.int({ resolve: ({ inputs }) => inputs.min }),
    maxInputs: t.int({ resolve: ({ inputs }) => inputs.max }),
    softTimeoutSeconds: t.float({ description: 'After this long an attempt is asked to stop, and fails with TIMED_OUT.', resolve: ({ name }, _args, { app }) => timeoutsOf(name, app.config).softMs / 1_000 }),
    hardTimeoutSeconds: t.float({ description: 'After this long an attempt that did not stop is ended.', resolve: ({ name }, _args, { app }) => timeoutsOf(name, app.config).hardMs / 1_000 }),
    maxFailures: t.int({ description: 'A job that failed this often is FAILED for good.', resolve: (_operation, _args, { app }) => app.config.JOB_MAX_FAILURES }),
    cacheSeconds: t.float({ description: 'So long a completed job answers for the same work.', resolve: (_operation, _args, { app }) => app.config.JOB_CACHE_TTL / 1_000 }),
  }),
});

/** Why nobody can do it on this server; null where somebody can. */
const reasonOf = (operation: Operation, config: Config): string | null => {
  const provider = defaultProvider(operation, config) ?? operation.providers[0];
  return provider ? provider.unavailable(config) : 'This server has no provider for it';
};

export const OperationRef = builder.objectRef<Operation>('Operation').implement({
  description: 'A kind of slow work that this server knows. Each run of it is a job.',
  fields: (t) => ({
    name: t.field({ type: OperationName, resolve: (operation) => operation.name }),
    title: t.exposeString('title'),
    description: t.exposeString('description'),
    available: t.boolean({ description: 'Whether a job would run without a wish for a provider.', resolve: (operation, _args, { app }) => reasonOf(operation, app.config) === null }),
    reason: t.string({ nullable: true, description: 'Why it would not, and what helps.', resolve: (operation, _args, { app }) => reasonOf(operation, app.config) }),
    limits: t.field({ type: OperationLimits, resolve: (operation) => operation }),
    parametersSchema: t.field({
      type: 'JSON',
      description: 'The JSON Schema (draft 2020-12) of what a job keeps as `parameters`, with defaults and limits.',
      resolve: (operation) => z.toJSONSchema(operation.parameters, { io: 'input', unrepresentable: 'any' }),
    }),
    providers: t.field({
      type: [OperationProvider],
      description: 'In order of preference.',
      resolve: (operation, _args, { app: { config } }) => {
        const preferred = defaultProvider(operation, config);
        return operation.providers.map((provider) => ({ name: provider.name, version: versionOf(provider, config), reason: provider.unavailable(config), isDefault: provider === preferred, modelChecksum: async () => (await provider.modelChecksum?.(config)) ?? null }));
      },
    }),
  }),
});

builder.queryField('operations', (t) =>
  t.field({ type: [OperationRef], scope: null, description: 'What this server can do, and why not.', resolve: () => [...operations] }),
);
