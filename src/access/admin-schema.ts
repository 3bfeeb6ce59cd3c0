import { resolveCursorConnection } from '@pothos/plugin-relay';
import { SignedUrl } from '../assets/schema.ts';
import type { Asset } from '../database/generated/client.ts';
import { UserError } from '../errors.ts';
import { asSent, builder, globalId } from '../graphql/builder.ts';
import { checkPage, defaultPageSize, maxPageSize } from '../keyset.ts';
import { findAccounts, findUploads, uploadCursor, viewerCursor, withFigures, type Account } from './accounts.ts';
import { resumeViewer, suspendViewer } from './viewers.ts';

const sizes = { defaultSize: defaultPageSize, maxSize: maxPageSize };
const urlSeconds = 3_600;

const Upload = builder.objectRef<Asset>('ViewerUpload').implement({
  description: 'A file that a viewer has uploaded, for an admin who has to look at it.',
  scope: 'admin',
  fields: (t) => ({
    filename: t.exposeString('filename', { description: 'As the client named it, without folders.' }),
    contentType: t.exposeString('contentType'),
    byteSize: t.exposeInt('byteSize'),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
    url: t.field({
      type: SignedUrl,
      description: 'Where to read it for an hour.',
      resolve: async ({ storageKey }, _args, { app }) => ({ url: await app.storage.signedUrl(storageKey, { expiresInSeconds: urlSeconds }), expiresAt: new Date(Date.now() + urlSeconds * 1_000) }),
    }),
  }),
});

const UploadConnection = builder.connectionObject({ type: Upload, name: 'ViewerUploadConnection', description: 'The newest first.' }, { name: 'ViewerUploadEdge' });

const AccountRef = builder.objectRef<Account>('ViewerAccount').implement({
  description: 'A viewer as admins see one.',
  scope: 'admin',
  fields: (t) => ({
    id: t.id({ description: 'The same as `viewer.id` for the viewer.', resolve: ({ id }) => globalId('Viewer', id) }),
    name: t.exposeString('id', { description: 'As the credential names the viewer: the claim "sub" of a token, or the name of a key of the settings.' }),
    firstSeenAt: t.expose('createdAt', { type: 'DateTime' }),
    lastSeenAt: t.expose('lastSeenAt', { type: 'DateTime', description: 'To the minute.' }),
    suspendedAt: t.expose('suspendedAt', { type: 'DateTime', nullable: true, description: 'Null: the viewer may come in.' }),
    suspendedReason: t.exposeString('suspendedReason', { nullable: true }),
    assetCount: t.exposeInt('assetCount', { description: 'Images and other files that are stored, uploads and outputs of jobs.' }),
    storedBytes: t.exposeFloat('storedBytes', { description: 'Bytes of these files together. A whole number; it may be too large for an Int.' }),
    jobCount: t.exposeInt('jobCount'),
    uploads: t.field({
      type: UploadConnection,
      args: t.arg.connectionArgs(),
      resolve: ({ id }, args, { app }) => {
        checkPage(args);
        return resolveCursorConnection<Promise<Asset[]>>({ args, ...sizes, toCursor: uploadCursor }, (page) => findUploads(app, id, page)) as never;
      },
    }),
  }),
});

const AccountConnection = builder.connectionObject(
  { type: AccountRef, name: 'ViewerAccountConnection', fields: (t) => ({ totalCount: t.int({ description: 'Of all pages together.', resolve: (_connection, _args, { app }) => app.db.viewer.count() }) }) },
  { name: 'ViewerAccountEdge' },
);

builder.queryField('viewers', (t) =>
  t.field({
    type: AccountConnection,
    scope: 'admin',
    description: 'Everybody who was ever here, in the order of their names.',
    args: t.arg.connectionArgs(),
    resolve: (_root, args, { app }) => {
      checkPage(args);
      return resolveCursorConnection<Promise<Account[]>>({ args, ...sizes, toCursor: viewerCursor }, (page) => findAccounts(app, page)) as never;
    },
  }),
);

/** The name inside the id of a viewer. */
function nameOf(viewer: { typename: string; id: string }): string {
  if (viewer.typename === 'Viewer') return viewer.id;
  throw new UserError('NOT_FOUND', `Expected the id of a viewer but received "${asSent(viewer).slice(0, 60)}"`);
}

builder.mutationFields((t) => ({
  suspendViewer: t.field({
    type: AccountRef,
    scope: 'admin',
    description: 'From now on whatever the viewer asks is refused with FORBIDDEN and the reason, with any credential, and open sockets and streams end. Jobs run on; signed URLs live until they expire. Again: the reason changes.',
    args: { id: t.arg.globalID({ required: true }), reason: t.arg.string({ required: true, description: 'What the viewer is told: 1 to 500 characters.' }) },
    resolve: async (_root, { id, reason }, { app, viewer }) => (await withFigures(app, [await suspendViewer(app, viewer, nameOf(id), reason)]))[0]!,
  }),
  resumeViewer: t.field({
    type: AccountRef,
    scope: 'admin',
    description: 'Lets a suspended viewer in again.',
    args: { id: t.arg.globalID({ required: true }) },
    resolve: async (_root, { id }, { app }) => (await withFigures(app, [await resumeViewer(app, nameOf(id))]))[0]!,
  }),
}));
