import { queryFromInfo } from '@pothos/plugin-prisma';
import type { GraphQLResolveInfo } from 'graphql';
import { Image } from '../assets/schema.ts';
import { imageLimits } from '../compute/limits.ts';
import { UserError } from '../errors.ts';
import { builder, rowId, type Context } from '../graphql/builder.ts';
import { checkPage, defaultPageSize, nodePaths, parseCursor, printCursor } from '../keyset.ts';
import { findDuplicateGroups, findDuplicatesOf, pageOfGroups, type DuplicateGroup } from './duplicates.ts';
import type { ImageFilter } from './filter.ts';
import { ImageFilterInput } from './inputs.ts';
import { loadImages } from './load.ts';
import { findSimilar, type Likeness, type SimilarImage } from './similar.ts';

const measureTimeoutMs = 30_000;

const MatchClassEnum = builder.enumType('MatchClass', {
  description: 'What a similarity score means. It is about looks (shape, colours, composition), not about what is shown.',
  values: {
    IDENTICAL: { description: 'The same bytes.' },
    NEAR_DUPLICATE: { description: 'A copy: resized, recompressed, brightened, mirrored or cropped a little. Hash distance at most 31, or score at least 0.90.' },
    SIMILAR: { description: 'Looks alike: score at least 0.60.' },
    RELATED: { description: 'The nearest there is, but not alike.' },
  } as const,
});

const similarEdge = (edge: unknown) => edge as SimilarImage;

const SimilarImageConnection = builder.connectionObject(
  { type: Image, name: 'SimilarImageConnection', description: 'The most similar first. Has no total: to count them all, all would have to be compared.' },
  {
    name: 'SimilarImageEdge',
    fields: (t) => ({
      score: t.float({ description: 'Cosine similarity of the embeddings: 1 for the same look, about 0.3 for two unrelated photographs.', resolve: (edge) => similarEdge(edge).score }),
      distance: t.float({ description: '1 − score.', resolve: (edge) => similarEdge(edge).distance }),
      hashDistance: t.int({ nullable: true, description: 'Different bits of the PDQ hashes, 0 to 256; null where a picture has too little detail for one.', resolve: (edge) => similarEdge(edge).hashDistance }),
      match: t.field({ type: MatchClassEnum, resolve: (edge) => similarEdge(edge).match }),
    }),
  },
);

interface SimilarArguments {
  first?: number | null;
  after?: string | null;
  minScore?: number | null;
  filter?: ImageFilter | null;
}

async function similarPage(likeness: Likeness, args: SimilarArguments, context: Context, info: GraphQLResolveInfo) {
  checkPage(args);
  const first = args.first ?? defaultPageSize;
  const list = 'assetId' in likeness ? likeness.assetId : likeness.sha256;
  const cursor = args.after ? parseCursor(args.after, 'number', list) : undefined;
  const found = await findSimilar(context.app, context.viewer, likeness, {
    limit: first + 1,
    minScore: args.minScore,
    filter: args.filter,
    after: cursor && { distance: cursor.value, assetId: cursor.id },
  });
  const page = found.slice(0, first);
  const nodes = await loadImages(context, page.map((image) => image.assetId), queryFromInfo({ context, info, paths: nodePaths }));
  const edges = page.flatMap((image) => {
    const node = nodes.get(image.assetId);
    return node ? [{ ...image, node, cursor: printCursor(image.distance, image.assetId, list) }] : [];
  });
  return { edges, pageInfo: { startCursor: edges[0]?.cursor ?? null, endCursor: edges.at(-1)?.cursor ?? null, hasNextPage: found.length > first, hasPreviousPage: cursor !== undefined } };
}

const similarArgs = builder.args((t) => ({
  minScore: t.float({ description: 'Leave out what scores less, 0 to 1. From 0.9 on all are copies, from 0.6 on look-alikes. A copy that only its hash gives away (`hashDistance` at most 31) can score less than either: `duplicates` has these too.' }),
  filter: t.field({ type: ImageFilterInput }),
  first: t.int({ description: 'At most this many, 1 to 100; 20 without it.' }),
  after: t.string({ description: 'Go on behind this cursor.' }),
}));

const SimilarToInput = builder.inputType('SimilarToInput', {
  description: 'What to compare with: exactly one of these.',
  isOneOf: true,
  fields: (t) => ({
    imageId: t.globalID({ for: Image, description: 'An image of the viewer.' }),
    file: t.field({ type: 'File', description: 'A picture that is only compared, not stored.' }),
  }),
});

builder.queryField('similarImages', (t) =>
  t.field({
    type: SimilarImageConnection,
    scope: 'images:read',
    description: 'The viewer\'s images that look like one of them, or like an uploaded file that is not stored.',
    args: { to: t.arg({ type: SimilarToInput, required: true }), ...similarArgs },
    resolve: async (_root, { to, ...args }, context, info) => {
      const likeness = to.imageId ? { assetId: rowId(to.imageId) } : await likenessOfFile(context, to.file!);
      return similarPage(likeness, args, context, info) as never;
    },
  }),
);

async function likenessOfFile({ app: { compute, config } }: Context, file: { path: string; sha256: string; tooLarge: boolean }): Promise<Likeness> {
  if (file.tooLarge) throw new UserError('TOO_LARGE', `Expected a file of at most ${config.UPLOAD_MAX_BYTES} bytes but received more`);
  const limits = imageLimits(config);
  await compute.run('inspect', { path: file.path, limits }, { timeoutMs: measureTimeoutMs });
  const { output } = await compute.run('measure', { path: file.path, limits }, { timeoutMs: measureTimeoutMs });
  return { sha256: file.sha256, measurements: output };
}

builder.prismaObjectField(Image, 'similar', (t) =>
  t.field({
    type: SimilarImageConnection,
    description: 'The viewer\'s other images that look like this one. Null until it is analysed.',
    nullable: true,
    select: { id: true, thumbHash: true },
    args: similarArgs,
    resolve: ({ id, thumbHash }, args, context, info) => (thumbHash === null ? null : (similarPage({ assetId: id }, args, context, info) as never)),
  }),
);

const DuplicateGroupRef = builder.objectRef<DuplicateGroup>('DuplicateGroup').implement({
  description: 'Images of which each is a near-duplicate of at least one other in the group.',
  fields: (t) => ({
    size: t.int({ resolve: ({ imageIds }) => imageIds.length }),
    images: t.field({
      type: [Image],
      description: 'The oldest first.',
      args: { first: t.arg.int({ defaultValue: 100, description: '1 to 100.' }) },
      resolve: async ({ imageIds }, { first }, context, info) => {
        checkPage({ first });
        const wanted = imageIds.slice(0, first ?? 100);
        const images = await loadImages(context, wanted, queryFromInfo({ context, info }));
        return wanted.flatMap((id) => images.get(id) ?? []);
      },
    }),
  }),
});

builder.prismaObjectField(Image, 'duplicates', (t) =>
  t.field({
    type: DuplicateGroupRef,
    nullable: true,
    description: 'The near-duplicates of this image, itself among them; null when there are none.',
    select: { id: true },
    resolve: ({ id }, _args, { app, viewer }) => findDuplicatesOf(app, viewer, id),
  }),
);

const DuplicateGroupConnection = builder.connectionObject(
  {
    type: DuplicateGroupRef,
    name: 'DuplicateGroupConnection',
    fields: (t) => ({ totalCount: t.int({ description: 'Of all pages together.', resolve: (page) => (page as unknown as { totalCount: number }).totalCount }) }),
  },
  { name: 'DuplicateGroupEdge' },
);

builder.queryField('duplicateGroups', (t) =>
  t.field({
    type: DuplicateGroupConnection,
    scope: 'images:read',
    description: 'Groups of near-duplicates among the viewer\'s images, in the order of their oldest image.',
    args: { first: similarArgs.first, after: similarArgs.after },
    resolve: async (_root, args, { app, viewer }) => {
      checkPage(args);
      const groups = await findDuplicateGroups(app, viewer);
      const { page, cursorOf, hasNextPage } = pageOfGroups(groups, { first: args.first ?? defaultPageSize, after: args.after });
      const edges = page.map((node) => ({ node, cursor: cursorOf(node) }));
      const pageInfo = { startCursor: edges[0]?.cursor ?? null, endCursor: edges.at(-1)?.cursor ?? null, hasNextPage, hasPreviousPage: Boolean(args.after) };
      return { edges, totalCount: groups.length, pageInfo } as never;
    },
  }),
);
