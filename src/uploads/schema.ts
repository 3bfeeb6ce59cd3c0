import { chargeUploads } from '../access/limits/charge.ts';
import { limitsOf } from '../access/limits/limits.ts';
import { checkWords } from '../assets/update.ts';
import { cleanTags } from '../assets/tags.ts';
import { Image, ImageFormatEnum, VisibilityEnum } from '../assets/schema.ts';
import { imageFormats, type ImageFormat } from '../compute/sniff.ts';
import { mustAllow, type Viewer } from '../access/viewer.ts';
import type { App } from '../app.ts';
import type { Asset } from '../database/generated/client.ts';
import { UserError } from '../errors.ts';
import { builder, ErrorCodeEnum } from '../graphql/builder.ts';
import { mustFitInLine } from '../jobs/in-flight.ts';
import { JobOptions } from '../jobs/options.ts';
import { Job } from '../jobs/types.ts';
import { waitForJobs } from '../jobs/wait.ts';
import { OperationName } from '../operations/schema.ts';
import { allOf, receiveEach, receiveFile, type RefusedFile as Refused, type UploadFacts, type UploadOutcome } from './receive.ts';
import { planJobs, startPlanned, type Plan } from './run.ts';

export const UploadOptions = builder.inputType('UploadOptions', {
  description: 'What holds for every file of the request.',
  fields: (t) => ({
    run: t.field({ type: [OperationName], defaultValue: ['analyze'], description: 'Jobs to start for each image, of operations that take one image and need nothing else. An empty list starts none. Anything but ANALYZE needs `jobs:write`, and costs as much as its own mutation.' }),
    jobOptions: t.field({ type: JobOptions, description: 'How to run them. `provider` only where `run` has one operation; no `idempotencyKey`. Needs `jobs:write`.' }),
    tags: t.stringList({ description: 'Tags for every image: at most 50 of 60 characters. One that was stored before keeps its own; `updateImage` changes them.' }),
    metadata: t.field({ type: 'JSON', description: 'Kept with every image; at most 16 KB. One that was stored before keeps its own; `updateImage` changes it.' }),
    keepLocation: t.boolean({ defaultValue: false, description: 'Keep the GPS position that the camera wrote. Without it no one learns where a picture was taken. An image that was stored before stays as it is.' }),
    visibility: t.field({ type: VisibilityEnum, defaultValue: 'PRIVATE', description: 'An image that was stored before keeps its own; `setVisibility` changes it.' }),
  }),
});

interface Stored {
  index: number;
  filename: string;
  image: Asset;
  alreadyStored: boolean;
  jobIds: string[];
}

export const index = 'The place of the file in the request, from 0.';

const UploadedImage = builder.objectRef<Stored>('UploadedImage').implement({
  description: 'The file is stored.',
  fields: (t) => ({
    index: t.exposeInt('index', { description: index }),
    filename: t.exposeString('filename'),
    alreadyStored: t.exposeBoolean('alreadyStored', { description: 'The viewer had uploaded these very bytes before; this is that image, as it was: tags, metadata and visibility of this request are not taken over. `updateImage` and `setVisibility` change them.' }),
    image: t.prismaField({ type: Image, resolve: (query, { image }, _args, { app, viewer }) => app.db.asset.findFirstOrThrow({ ...query, where: { id: image.id, ownerId: viewer.id } }) }),
    jobs: t.prismaField({
      type: [Job],
      description: 'The jobs that were started for it.',
      resolve: (query, { jobIds }, _args, { app, viewer }) => app.db.job.findMany({ ...query, where: { id: { in: jobIds }, ownerId: viewer.id }, orderBy: { createdAt: 'asc' } }),
    }),
  }),
});

export const RefusedFile = builder.objectRef<Refused>('RefusedFile').implement({
  description: 'The file was not stored; the others of the request are.',
  fields: (t) => ({
    index: t.exposeInt('index', { description: index }),
    filename: t.exposeString('filename'),
    code: t.expose('code', { type: ErrorCodeEnum }),
    message: t.exposeString('message', { description: 'Names the limit and the actual value.' }),
    hint: t.exposeString('hint', { nullable: true, description: 'What helps.' }),
  }),
});

const UploadResult = builder.unionType('UploadResult', {
  types: [UploadedImage, RefusedFile],
  resolveType: (result) => ('image' in result ? UploadedImage : RefusedFile),
});

export const UploadImagesPayload = builder.objectRef<(Stored | Refused)[]>('UploadImagesPayload').implement({
  fields: (t) => ({
    results: t.field({ type: [UploadResult], description: 'One for each file, in the order of the request.', resolve: (results) => results }),
    jobs: t.prismaField({
      type: [Job],
      description: 'All jobs of the request, in the order of the files: subscribe to `jobEvents(jobIds:)` to watch them.',
      resolve: async (query, results, _args, { app, viewer }) => {
        const ids = results.flatMap((result) => ('image' in result ? result.jobIds : []));
        const jobs = await app.db.job.findMany({ ...query, where: { id: { in: ids }, ownerId: viewer.id } });
        return jobs.toSorted((one, other) => ids.indexOf(one.id) - ids.indexOf(other.id));
      },
    }),
  }),
});

builder.mutationField('uploadImages', (t) =>
  t.field({
    type: UploadImagesPayload,
    scope: 'images:write',
    description: 'Stores pictures, as a multipart request. One bad file does not spoil the others. See `uploadLimits`.',
    args: { files: t.arg({ type: ['File'], required: true }), options: t.arg({ type: UploadOptions }) },
    resolve: async (_root, { files, options }, { app, viewer }) => {
      const { facts, plan } = await checkRequest(app, viewer, files.length, options);
      await chargeUploads(app, viewer, files.length);
      const outcomes = receiveEach(files.map(({ filename }) => filename), (index) => receiveFile(app, viewer, files[index]!, facts));
      return startJobsOf(app, viewer, outcomes, plan);
    },
  }),
);

export function checkCount({ config }: App, count: number): void {
  if (count === 0) throw new UserError('INVALID_INPUT', 'Expected at least one file but received none', { hint: 'What is sent to uploadImages or uploadAudio travels in a multipart request; in GraphiQL choose them in the bar above the editor and press Upload there' });
  if (count > config.UPLOAD_MAX_FILES) throw new UserError('TOO_MANY_FILES', `Expected at most ${config.UPLOAD_MAX_FILES} files but received ${count}`, { hint: 'Send the rest in another request' });
}

type Options = typeof UploadOptions.$inferInput;

/** What holds for every file. It is refused whole and before anything is stored: afterwards there would be pictures without the jobs they were sent for. */
export async function checkRequest(app: App, viewer: Viewer, count: number, options: Options | null | undefined): Promise<{ facts: UploadFacts; plan: Plan }> {
  checkCount(app, count);
  const run = (options?.run ?? ['analyze']) as string[];
  if (options?.jobOptions || run.some((name) => name !== 'analyze')) mustAllow(viewer, ['jobs:write']);
  checkWords({ metadata: options?.metadata });
  cleanTags(options?.tags ?? []);
  const plan = planJobs(app, run, options?.jobOptions ?? {});
  await mustFitInLine(app.db, { limit: limitsOf(app.config, viewer).jobs, viewer, jobs: count * plan.operations.length });
  return { facts: { tags: options?.tags, metadata: options?.metadata, keepLocation: options?.keepLocation, visibility: options?.visibility }, plan };
}

/** Starts the jobs of every image as soon as it is stored, while others are still received. With `keys`, one for each outcome, the same call again starts none. */
export async function startJobsOf(app: App, viewer: Viewer, outcomes: Promise<UploadOutcome>[], plan: Plan, keys: string[] = []): Promise<(Stored | Refused)[]> {
  const start = async (outcome: UploadOutcome) =>
    outcome.kind === 'refused' ? outcome : { ...outcome, jobIds: await startPlanned(app, viewer, plan, outcome.image, keys[outcome.index]) };
  const results = await allOf(outcomes.map((outcome) => outcome.then(start)));
  await waitForJobs(app, results.flatMap((result) => ('jobIds' in result ? result.jobIds : [])), plan.waitMs);
  return results;
}

export const UploadLimits = builder.objectRef<object>('UploadLimits').implement({
  description: 'What an upload may be on this server.',
  fields: (t) => ({
    maxFiles: t.int({ description: 'Files in one request.', resolve: (_limits, _args, { app }) => app.config.UPLOAD_MAX_FILES }),
    maxBytes: t.int({ description: 'Bytes of one file.', resolve: (_limits, _args, { app }) => app.config.UPLOAD_MAX_BYTES }),
    minSide: t.int({ description: 'Pixels of the shorter side.', resolve: (_limits, _args, { app }) => app.config.UPLOAD_MIN_SIDE }),
    maxSide: t.int({ description: 'Pixels of the longer side.', resolve: (_limits, _args, { app }) => app.config.UPLOAD_MAX_SIDE }),
    maxPixels: t.int({ description: 'Width times height.', resolve: (_limits, _args, { app }) => app.config.UPLOAD_MAX_PIXELS }),
    maxAvifPixels: t.int({ description: 'The same for AVIF and HEIC, which decode into more memory.', resolve: (_limits, _args, { app }) => app.config.UPLOAD_MAX_AVIF_PIXELS }),
    maxFrames: t.int({ description: 'Frames of an animation.', resolve: (_limits, _args, { app }) => app.config.UPLOAD_MAX_FRAMES }),
    formats: t.field({ type: [ImageFormatEnum], description: 'Told by the bytes, not by the name. HEIC needs an optional decoder.', resolve: () => Object.keys(imageFormats) as ImageFormat[] }),
  }),
});
builder.queryField('uploadLimits', (t) => t.field({ type: UploadLimits, scope: null, description: 'What an upload may be on this server.', resolve: () => ({}) }));
