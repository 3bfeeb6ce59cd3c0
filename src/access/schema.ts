import type { ApiKey as ApiKeyRow } from '../database/generated/client.ts';
import { builder, globalId } from '../graphql/builder.ts';
import { createApiKey, revokeApiKey } from './api-keys.ts';
import { allScopes, scopes, type Scope } from './scopes.ts';
import type { Viewer } from './viewer.ts';

const ViewerKind = builder.enumType('ViewerKind', {
  values: {
    LOCAL: { description: 'The one viewer of a server that listens on loopback only.' },
    USER: { description: 'Somebody with a token.' },
    API_KEY: { description: 'A program with an API key, on behalf of the viewer who made it.' },
  } as const,
});

const ViewerRole = builder.enumType('ViewerRole', {
  values: {
    VIEWER: { description: 'Sees and does what is the viewer\'s own.' },
    ADMIN: { description: 'Administers all viewers as well.' },
  } as const,
});

const ScopeEnum = builder.enumType('Scope', {
  description: 'What a credential can be allowed. Fields and types say which one they need; a request that names a field beyond them is refused as a whole with FORBIDDEN.',
  values: Object.fromEntries(allScopes.map((scope) => [scope.toUpperCase().replace(':', '_'), { value: scope, description: `\`${scope}\`: ${scopes[scope]}` }])) as Record<string, { value: Scope; description: string }>,
});

export const ViewerRef = builder.objectRef<Viewer>('Viewer').implement({
  description: 'Who is asking.',
  fields: (t) => ({
    id: t.id({ resolve: (viewer) => globalId('Viewer', viewer.id) }),
    kind: t.expose('kind', { type: ViewerKind }),
    role: t.expose('role', { type: ViewerRole }),
    scopes: t.field({ type: [ScopeEnum], description: 'What the credential of this request allows, with everything that is included.', resolve: (viewer) => [...viewer.scopes] }),
  }),
});

builder.queryField('viewer', (t) => t.field({ type: ViewerRef, scope: null, description: 'Who is asking.', resolve: (_root, _args, { viewer }) => viewer }));

const ApiKey = builder.prismaObject('ApiKey', {
  description: 'A key with which a program acts for the viewer: it is sent as `Authorization: Bearer <secret>`, like a token.',
  scope: 'keys:read',
  fields: (t) => ({
    id: t.id({ resolve: (key) => globalId('ApiKey', key.id) }),
    name: t.exposeString('name'),
    scopes: t.field({ type: [ScopeEnum], description: 'As they were given, without those that are included.', resolve: (key) => key.scopes as Scope[] }),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime', nullable: true, description: 'Null: it lives until it is revoked.' }),
    lastUsedAt: t.expose('lastUsedAt', { type: 'DateTime', nullable: true, description: 'To the minute; null when it never was.' }),
  }),
});

builder.objectField(ViewerRef, 'apiKeys', (t) =>
  t.prismaField({
    type: [ApiKey],
    scope: 'keys:read',
    description: 'The viewer\'s keys, the newest first, at most 100. One that is revoked is gone.',
    resolve: (query, viewer, _args, { app }) => app.db.apiKey.findMany({ ...query, where: { ownerId: viewer.id }, orderBy: [{ createdAt: 'desc' }, { id: 'asc' }] }),
  }),
);

const CreateApiKeyInput = builder.inputType('CreateApiKeyInput', {
  fields: (t) => ({
    name: t.string({ required: true, description: 'What it is for: 1 to 100 characters.' }),
    scopes: t.field({ type: [ScopeEnum], required: true, description: 'At least one, and none that the credential of this request does not have.' }),
    expiresAt: t.field({ type: 'DateTime', description: 'Without it the key lives until it is revoked, or as long as the key that made it.' }),
  }),
});

const CreateApiKeyPayload = builder.objectRef<{ apiKey: ApiKeyRow; secret: string }>('CreateApiKeyPayload').implement({
  fields: (t) => ({
    apiKey: t.expose('apiKey', { type: ApiKey }),
    secret: t.exposeString('secret', { description: 'What the program sends. It is shown this once: Darkroom keeps only its hash.' }),
  }),
});

builder.mutationFields((t) => ({
  createApiKey: t.field({
    type: CreateApiKeyPayload,
    scope: 'keys:write',
    description: 'Makes a key for a program, at most 100 of one viewer.',
    args: { input: t.arg({ type: CreateApiKeyInput, required: true }) },
    resolve: (_root, { input }, { app, viewer }) => createApiKey(app, viewer, input),
  }),
  revokeApiKey: t.field({
    type: ApiKey,
    scope: 'keys:write',
    description: 'Ends a key at once, and with it the keys that were made with it. Sockets and streams that were opened with one of them are closed.',
    args: { id: t.arg.globalID({ required: true, for: ApiKey }) },
    resolve: (_root, { id }, { app, viewer }) => revokeApiKey(app, viewer, id.id),
  }),
}));
