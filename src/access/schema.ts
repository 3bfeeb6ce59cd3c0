import { builder, globalId } from '../graphql/builder.ts';
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
