import { builder, globalId } from '../graphql/builder.ts';
import type { Viewer } from './viewer.ts';

const ViewerKind = builder.enumType('ViewerKind', {
  values: {
    LOCAL: { description: 'The one viewer of a server that listens on loopback only.' },
    USER: { description: 'Somebody with a token.' },
  } as const,
});

const ViewerRef = builder.objectRef<Viewer>('Viewer').implement({
  description: 'Who is asking.',
  fields: (t) => ({
    id: t.id({ resolve: (viewer) => globalId('Viewer', viewer.id) }),
    kind: t.expose('kind', { type: ViewerKind }),
  }),
});

builder.queryField('viewer', (t) => t.field({ type: ViewerRef, description: 'Who is asking.', resolve: (_root, _args, { viewer }) => viewer }));
