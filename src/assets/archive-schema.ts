import { builder, rowId } from '../graphql/builder.ts';
import { checkArchived, maxArchived, signArchive } from './archive.ts';
import { AudioClip } from './audio-schema.ts';
import { Model3D } from './model-schema.ts';
import { checkExpiresIn, defaultUrlSeconds, expiresInSentence, Image, SignedUrl } from './schema.ts';

builder.queryField('archive', (t) =>
  t.field({
    type: SignedUrl,
    scope: 'images:read',
    description: `Files as one zip, for "download selected": 1 to ${maxArchived} of the viewer's, as they are stored. It is made while it is sent: the first byte comes at once, and a download that breaks off starts anew. Where an id is not there it is an error, so that no archive is short without a word.`,
    args: {
      ids: t.arg.globalIDList({ required: true, for: [Image, Model3D, AudioClip], description: 'Of images, 3D models and recordings.' }),
      name: t.arg.string({ defaultValue: 'files', description: 'The name it is saved under, without ".zip".' }),
      expiresIn: t.arg.int({ defaultValue: defaultUrlSeconds, description: expiresInSentence }),
    },
    resolve: async (_root, { ids, name, expiresIn }, { app, viewer }) => {
      const expiresInSeconds = checkExpiresIn(expiresIn ?? defaultUrlSeconds);
      return signArchive(app, await checkArchived(app, viewer, ids.map(rowId)), { name: (name ?? 'files').slice(0, 200), expiresInSeconds });
    },
  }),
);
