import { queryFromInfo } from '@pothos/plugin-prisma';
import { resolveCursorConnection } from '@pothos/plugin-relay';
import type { GraphQLResolveInfo } from 'graphql';
import { Image } from '../assets/schema.ts';
import type { Asset } from '../database/generated/client.ts';
import { builder, type Context } from '../graphql/builder.ts';
import { checkPage, defaultPageSize, maxPageSize, newestFirst, nodePaths } from '../keyset.ts';
import { loadImages } from './load.ts';
import { countFacet, countImages, cursorOf, findImages, type FacetCount, type FacetName, type FoundImage, type ImageOrder, type ImageSearch } from './find.ts';
import { ImageFilterInput } from './inputs.ts';
import { explainWords, wordsQuery, type MatchedField } from './words.ts';

const ImageOrderEnum = builder.enumType('ImageOrder', {
  values: {
    RELEVANCE: { description: 'The best match first; without words and colour the newest.' },
    NEWEST: { description: 'The latest upload first.' },
    OLDEST: { description: 'The earliest upload first.' },
    LARGEST: { description: 'Most bytes first.' },
    SMALLEST: { description: 'Fewest bytes first.' },
  } satisfies Record<ImageOrder, object>,
});

const MatchedBy = builder.enumType('MatchedBy', {
  description: 'Where a search found its words, or that the colour matched.',
  values: ['TITLE', 'CAPTION', 'TAG', 'TEXT', 'FILENAME', 'COLOR'] as const,
});

interface SearchConnection {
  search: ImageSearch;
}
interface SearchEdge extends Pick<FoundImage, 'score'> {
  node: Asset;
  cursor: string;
  matchedBy: (MatchedField | 'COLOR')[];
  highlight: string | null;
}

const FacetCountRef = builder.objectRef<FacetCount>('FacetCount').implement({
  fields: (t) => ({ value: t.exposeString('value'), count: t.exposeInt('count', { description: 'Images that match the search and have this value.' }) }),
});

const facetLimit = 'At most this many values, 1 to 100, the commonest first.';
const Facets = builder.objectRef<SearchConnection>('ImageFacets').implement({
  description: 'How often each value occurs among all images that match, not only those of this page.',
  fields: (t) => {
    const facet = (name: FacetName, description: string) =>
      t.field({
        type: [FacetCountRef],
        description,
        args: { first: t.arg.int({ defaultValue: 20, description: facetLimit }) },
        resolve: ({ search }, { first }, { app, viewer }) => {
          checkPage({ first });
          return countFacet(app, viewer, search, name, first ?? 20);
        },
      });
    return {
      tags: facet('tags', 'Tags, the viewer\'s and the analysis\'s.'),
      colors: facet('colors', 'Names of colours that cover at least 8 % of a picture; the filter `colors` takes them.'),
      formats: facet('formats', 'Formats, as in ImageFormat.'),
      orientations: facet('orientations', 'As in Orientation.'),
    };
  },
});

const totalCount = 'Of all pages together, counted and not guessed.';

const ImageConnection = builder.connectionObject(
  {
    type: Image,
    name: 'ImageConnection',
    fields: (t) => ({
      totalCount: t.int({ description: totalCount, resolve: (connection, _args, { app, viewer }) => countImages(app, viewer, (connection as unknown as SearchConnection).search) }),
    }),
  },
  { name: 'ImageEdge' },
);

const ImageSearchConnection = builder.connectionObject(
  {
    type: Image,
    name: 'ImageSearchConnection',
    fields: (t) => ({
      totalCount: t.int({ description: totalCount, resolve: (connection, _args, { app, viewer }) => countImages(app, viewer, (connection as unknown as SearchConnection).search) }),
      facets: t.field({ type: Facets, resolve: (connection) => connection as unknown as SearchConnection }),
    }),
  },
  {
    name: 'ImageSearchEdge',
    fields: (t) => ({
      score: t.float({ nullable: true, description: 'How well it matches words and colour, 0 to 1; null when neither was asked for: words with a minus only leave out. Compare it within one search only.', resolve: (edge) => (edge as unknown as SearchEdge).score }),
      matchedBy: t.field({ type: [MatchedBy], resolve: (edge) => (edge as unknown as SearchEdge).matchedBy }),
      highlight: t.string({ nullable: true, description: 'The place that matches best, with the words between **asterisks**.', resolve: (edge) => (edge as unknown as SearchEdge).highlight }),
    }),
  },
);

type PageArguments = Parameters<typeof newestFirst>[0];

/** The list that apps ask for most takes one statement: the images as they stand in the index. */
async function newestImages(args: PageArguments, context: Context, info: GraphQLResolveInfo) {
  const { app: { db }, viewer } = context;
  const query = queryFromInfo({ context, info, paths: nodePaths });
  const connection = await newestFirst(args, ({ where: behind, ...page }) => db.asset.findMany({ ...query, where: { AND: [{ ownerId: viewer.id, kind: 'IMAGE' }, behind] }, ...page }));
  return { ...connection, search: {} satisfies ImageSearch };
}

async function imagePage(
  args: PageArguments,
  search: ImageSearch,
  context: Context,
  info: GraphQLResolveInfo,
) {
  checkPage(args);
  const { app, viewer } = context;
  const page = await resolveCursorConnection<Promise<FoundImage[]>>({ args, defaultSize: defaultPageSize, maxSize: maxPageSize, toCursor: cursorOf }, (wish) => findImages(app, viewer, search, wish));
  const found = page!.edges;
  const ids = found.map((edge) => edge!.node.id);
  const words = wordsQuery(search.query);
  const [nodes, reasons] = await Promise.all([
    loadImages(context, ids, queryFromInfo({ context, info, paths: nodePaths })),
    words?.anyWanted ? explainWords(app.sql, ids, words.anyWanted) : new Map<string, { matchedBy: MatchedField[]; highlight: string | null }>(),
  ]);
  const edges: SearchEdge[] = [];
  for (const edge of found) {
    const { id, score } = edge!.node;
    const node = nodes.get(id);
    const reason = reasons.get(id);
    // One that was deleted between the two readings is left out.
    if (node) edges.push({ node, cursor: edge!.cursor, score, matchedBy: [...(reason?.matchedBy ?? []), ...(search.filter?.color ? ['COLOR' as const] : [])], highlight: reason?.highlight ?? null });
  }
  return { edges, pageInfo: page!.pageInfo, search };
}

const listArgs = { filter: builder.args((t) => ({ filter: t.field({ type: ImageFilterInput }), orderBy: t.field({ type: ImageOrderEnum }) })) }.filter;

builder.queryFields((t) => ({
  images: t.field({
    type: ImageConnection,
    scope: 'images:read',
    description: 'The viewer\'s images, the newest first unless `orderBy` says otherwise.',
    args: { ...listArgs, ...t.arg.connectionArgs() },
    resolve: (_root, { filter, orderBy, ...args }, context, info) =>
      (filter || (orderBy && orderBy !== 'NEWEST') ? imagePage(args, { filter, order: orderBy ?? 'NEWEST' }, context, info) : newestImages(args, context, info)) as never,
  }),
  searchImages: t.field({
    type: ImageSearchConnection,
    scope: 'images:read',
    description: 'Images by words (title, caption, tags, text, file name), facts and colour.',
    args: {
      query: t.arg.string({ description: 'All words must occur; "quoted phrases", or and -not work; red-car.jpg is one phrase. The last word also matches as a beginning. English endings do not matter.' }),
      ...listArgs,
      ...t.arg.connectionArgs(),
    },
    resolve: (_root, { query, filter, orderBy, ...args }, context, info) => imagePage(args, { query, filter, order: orderBy }, context, info) as never,
  }),
}));
