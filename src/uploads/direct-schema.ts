import { chargeUploads } from '../access/limits/charge.ts';
import { Image } from '../assets/schema.ts';
import type { Asset, Upload } from '../database/generated/client.ts';
import { builder, globalId } from '../graphql/builder.ts';
import { announceUploads, type AnnounceOutcome } from './announce.ts';
import { completeUploads } from './complete.ts';
import { importImages, type ImportSource } from './import.ts';
import { resumablePath } from './resumable.ts';
import { checkCount, checkRequest, index, RefusedFile, startJobsOf, UploadImagesPayload, UploadOptions } from './schema.ts';
import { stagingKey } from './staging.ts';

const UploadInput = builder.inputType('UploadInput', {
  description: 'A file that is to be sent, as its client knows it.',
  fields: (t) => ({
    filename: t.string({ required: true, description: 'At most 1000 characters; folders in it are left out.' }),
    byteSize: t.int({ required: true, description: 'Exactly so many bytes must come. See `uploadLimits.maxBytes`.' }),
    sha256: t.string({ description: 'SHA-256 of the bytes, 64 hexadecimal digits. With it a file that is here already need not be sent, and one that arrives is held to it.' }),
    contentType: t.string({ description: 'Not believed; but one that is no image is refused at once.' }),
  }),
});

const HttpHeader = builder.objectRef<{ name: string; value: string }>('HttpHeader').implement({
  fields: (t) => ({ name: t.exposeString('name'), value: t.exposeString('value') }),
});

type Open = { index: number; filename: string; upload: Upload };
const OpenUpload = builder.objectRef<Open>('OpenUpload').implement({
  description: 'Send the bytes, in one of two ways; then call `completeUploads`. In one request: `method`, `url` and `headers`. So that it can be broken off and resumed: `resumableUrl`.',
  fields: (t) => ({
    index: t.exposeInt('index', { description: index }),
    filename: t.exposeString('filename'),
    uploadId: t.id({ description: 'For `completeUploads`.', resolve: ({ upload }) => globalId('Upload', upload.id) }),
    method: t.string({ description: 'PUT, with the bytes as the body.', resolve: () => 'PUT' }),
    url: t.field({ type: 'URL', description: 'Whoever has it can send this file until `expiresAt`: no other credential is needed.', resolve: ({ upload }, _args, { app }) => app.storage.signedPut(stagingKey(upload.id), upload.expiresAt) }),
    headers: t.field({ type: [HttpHeader], description: 'To send along.', resolve: () => [{ name: 'Content-Type', value: 'application/octet-stream' }] }),
    resumableUrl: t.field({
      type: 'URL',
      description: 'For a tus client (https://tus.io), as the URL of an upload that exists: `uploadUrl` of tus-js-client. With the same `Authorization` as this request. What arrived before a break is not sent again, whichever machine answers. Each request counts for `limits.requestsPerMinute`, so the pieces should be large.',
      resolve: ({ upload }, _args, { app }) => app.publicUrl(`${resumablePath}/${upload.id}`),
    }),
    expiresAt: t.field({ type: 'DateTime', description: 'It must be completed by then.', resolve: ({ upload }) => upload.expiresAt }),
  }),
});

type Known = { index: number; filename: string; image: Asset };
const KnownFile = builder.objectRef<Known>('KnownFile').implement({
  description: 'The viewer has uploaded these very bytes before: nothing to send. The image stays as it is, with its tags and metadata: `updateImage` changes them.',
  fields: (t) => ({
    index: t.exposeInt('index', { description: index }),
    filename: t.exposeString('filename'),
    image: t.prismaField({ type: Image, resolve: (query, { image }, _args, { app, viewer }) => app.db.asset.findFirstOrThrow({ ...query, where: { id: image.id, ownerId: viewer.id } }) }),
  }),
});

const CreateUploadResult = builder.unionType('CreateUploadResult', {
  types: [OpenUpload, KnownFile, RefusedFile],
  resolveType: (result) => ('upload' in result ? OpenUpload : 'image' in result ? KnownFile : RefusedFile),
});

const CreateUploadsPayload = builder.objectRef<AnnounceOutcome[]>('CreateUploadsPayload').implement({
  fields: (t) => ({ results: t.field({ type: [CreateUploadResult], description: 'One for each file, in the order of `files`.', resolve: (outcomes) => outcomes }) }),
});

builder.mutationField('createUploads', (t) =>
  t.field({
    type: CreateUploadsPayload,
    scope: 'images:write',
    description: 'Opens uploads for bytes that pass this API by: straight to where files are kept, or resumable. At most `uploadLimits.maxFiles` at a time. Nothing is an image until `completeUploads`.',
    args: { files: t.arg({ type: [UploadInput], required: true }) },
    resolve: async (_root, { files }, { app, viewer }) => {
      checkCount(app, files.length);
      await chargeUploads(app, viewer, files.length);
      return announceUploads(app, viewer, files);
    },
  }),
);

builder.mutationField('completeUploads', (t) =>
  t.field({
    type: UploadImagesPayload,
    scope: 'images:write',
    description: 'Checks what has arrived (size, checksum, then as `uploadImages` does) and makes images of it. May be repeated: the same uploads have the same outcome and start no job twice. A file that has not arrived whole is refused with CHECKSUM_MISMATCH and can be sent on; a refusal of the bytes is final.',
    args: { uploadIds: t.arg.globalIDList({ required: true, description: 'From `createUploads`.' }), options: t.arg({ type: UploadOptions }) },
    resolve: async (_root, { uploadIds, options }, { app, viewer }) => {
      const { facts, plan } = await checkRequest(app, viewer, uploadIds.length, options);
      const ids = uploadIds.map(({ typename, id }) => (typename === 'Upload' && /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/.test(id) ? id : null));
      const outcomes = await completeUploads(app, viewer, ids, facts);
      return startJobsOf(app, viewer, outcomes, plan, ids.map((id) => `upload-${id}`));
    },
  }),
);

builder.mutationField('importImages', (t) =>
  t.field({
    type: UploadImagesPayload,
    scope: 'images:write',
    description: 'Fetches pictures and stores them as `uploadImages` does. Results are in the order of `urls`, then of `keys`; of both together at most `uploadLimits.maxFiles`.',
    args: {
      urls: t.arg({ type: ['URL'], required: true, defaultValue: [], description: 'http or https, on the ports 80 and 443, on the internet: private addresses are refused (URL_REFUSED), also behind redirects, of which there may be 5. A server that has not sent everything within 60 s is given up (URL_UNREACHABLE).' }),
      keys: t.arg.stringList({ required: true, defaultValue: [], description: 'Objects that lie in the bucket of this server already, under the prefix that its settings name (IMPORT_PREFIX). They stay there.' }),
      options: t.arg({ type: UploadOptions }),
    },
    resolve: async (_root, { urls, keys, options }, { app, viewer }) => {
      const sources: ImportSource[] = [...urls.map((url) => ({ url })), ...keys.map((key) => ({ key }))];
      const { facts, plan } = await checkRequest(app, viewer, sources.length, options);
      await chargeUploads(app, viewer, sources.length);
      return startJobsOf(app, viewer, importImages(app, viewer, sources, facts), plan);
    },
  }),
);
