import { builder } from '../graphql/builder.ts';
import type { Operation } from './define.ts';
import { defaultProvider, operations } from './index.ts';

/** The name of an operation in the graph: `remove-background` is REMOVE_BACKGROUND. */
export const enumNameOf = (operation: string) => operation.toUpperCase().replaceAll('-', '_');

export const OperationName = builder.enumType('OperationName', {
  description: 'A kind of slow work.',
  values: Object.fromEntries(operations.map(({ name, description }) => [enumNameOf(name), { value: name, description }])),
});

const OperationProvider = builder.objectRef<{ name: string; version: string; reason: string | null; isDefault: boolean; modelChecksum: () => Promise<string | null> }>('OperationProvider').implement({
  description: 'Somebody who can do an operation.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'What to send as `options.provider`.' }),
    version: t.exposeString('version'),
    available: t.boolean({ description: 'Whether it can run on this server.', resolve: (provider) => provider.reason === null }),
    reason: t.exposeString('reason', { nullable: true, description: 'Why it cannot run, and what helps.' }),
    isDefault: t.exposeBoolean('isDefault', { description: 'It runs when no provider is asked for.' }),
    modelSha256: t.string({ nullable: true, description: 'Of the model file that it runs on this server, to be compared with the published one; null where it needs no file, or there is none.', resolve: (provider) => provider.modelChecksum() }),
  }),
});

export const OperationRef = builder.objectRef<Operation>('Operation').implement({
  description: 'A kind of slow work that this server knows. Each run of it is a job.',
  fields: (t) => ({
    name: t.field({ type: OperationName, resolve: (operation) => operation.name }),
    title: t.exposeString('title'),
    description: t.exposeString('description'),
    providers: t.field({
      type: [OperationProvider],
      description: 'In order of preference.',
      resolve: (operation, _args, { app: { config } }) => {
        const preferred = defaultProvider(operation, config);
        return operation.providers.map((provider) => ({ name: provider.name, version: provider.version, reason: provider.unavailable(config), isDefault: provider === preferred, modelChecksum: async () => (await provider.modelChecksum?.(config)) ?? null }));
      },
    }),
  }),
});

builder.queryField('operations', (t) =>
  t.field({ type: [OperationRef], scope: null, description: 'What this server can do, and why not.', resolve: () => [...operations] }),
);
