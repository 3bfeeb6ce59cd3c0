import type { Viewer } from '../access/viewer.ts';
import type { App } from '../app.ts';
import { Prisma } from '../database/generated/client.ts';
import { parseCursor, printCursor, type CursorKind } from '../keyset.ts';
import { colorScores, colorWish, imageConditions, isDominant, type ImageFilter } from './filter.ts';
import { wordsQuery, wordsScore } from './words.ts';

export interface ImageSearch {
  query?: string | null;
  filter?: ImageFilter | null;
  order?: ImageOrder | null;
}

/** What a list can be sorted by: plain columns, each with an index behind the owner. */
const orders = {
  RELEVANCE: null,
  NEWEST: { by: Prisma.sql`asset.created_at`, cast: Prisma.sql`::timestamptz`, cursor: 'time', direction: 'desc' },
  OLDEST: { by: Prisma.sql`asset.created_at`, cast: Prisma.sql`::timestamptz`, cursor: 'time', direction: 'asc' },
  LARGEST: { by: Prisma.sql`asset.byte_size`, cast: Prisma.sql`::int`, cursor: 'integer', direction: 'desc' },
  SMALLEST: { by: Prisma.sql`asset.byte_size`, cast: Prisma.sql`::int`, cursor: 'integer', direction: 'asc' },
} as const;
export type ImageOrder = keyof typeof orders;

export interface FoundImage {
  id: string;
  /** How well it matches, 0 to 1; null where nothing was asked that could match well or badly. */
  score: number | null;
  /** What the list is sorted by: the cursor's value. */
  position: number | Date;
}

/** One search, taken apart: what matches, how well, and in which order. Words and colour together score as their geometric mean. */
function plan(viewer: Viewer, { query, filter, order }: ImageSearch) {
  const words = wordsQuery(query);
  const color = colorWish(filter ?? {});
  const colorScore = Prisma.sql`coalesce(color.score, 0)`;
  const wanted = words?.wanted && wordsScore(words.wanted);
  const score = wanted && color ? Prisma.sql`sqrt(${wanted} * ${colorScore})` : wanted ?? (color ? colorScore : Prisma.sql`null::float8`);
  const wished = orders[order ?? 'RELEVANCE'];
  const sort = wished ?? (wanted || color ? { by: score, cast: Prisma.sql`::float8`, cursor: 'number', direction: 'desc' } as const : orders.NEWEST);
  const source = Prisma.sql`asset
    ${words ? Prisma.sql`join search_document document on document.asset_id = asset.id` : Prisma.empty}
    ${color ? Prisma.sql`left join (${colorScores(viewer.id, color)}) color on color.asset_id = asset.id` : Prisma.empty}`;
  const conditions = [
    imageConditions(viewer.id, { ...filter, color: null }),
    ...(words ? [Prisma.sql`document.owner_id = ${viewer.id} and document.words @@ ${words.matches}`] : []),
    ...(color ? [Prisma.sql`${colorScore} >= ${color.minShare}::float8`] : []),
  ];
  return { score, sort, source, where: Prisma.join(conditions, ' and ') };
}

/** One page of the images that match, `limit` long; with `inverted` the page before the cursor, nearest first. */
export async function findImages(
  { sql }: App,
  viewer: Viewer,
  search: ImageSearch,
  page: { after?: string | undefined; before?: string | undefined; limit: number; inverted: boolean },
): Promise<FoundImage[]> {
  const { score, sort, source, where } = plan(viewer, search);
  const ascending = (sort.direction === 'asc') !== page.inverted;
  const direction = Prisma.raw(ascending ? 'asc' : 'desc');
  const cursor = page.after ?? page.before;
  const behind = cursor ? behindCursor(cursor, sort, ascending) : Prisma.empty;
  return sql.$queryRaw<FoundImage[]>(Prisma.sql`
    with found as (select asset.id, ${score} as score, ${sort.by} as position from ${source} where ${where})
    select id, score, position from found ${behind}
    order by position ${direction}, id ${direction} limit ${page.limit}`);
}

function behindCursor(cursor: string, { cast, cursor: kind }: { cast: Prisma.Sql; cursor: CursorKind }, ascending: boolean): Prisma.Sql {
  const { value, id } = parseCursor(cursor, kind);
  return Prisma.sql`where (position, id) ${Prisma.raw(ascending ? '>' : '<')} (${value}${cast}, ${id}::uuid)`;
}

/** The cursor of a found image. */
export const cursorOf = ({ position, id }: FoundImage): string => printCursor(position instanceof Date ? position.toISOString() : position, id);

/** How many images match, on all pages together. */
export async function countImages({ sql }: App, viewer: Viewer, search: ImageSearch): Promise<number> {
  const { source, where } = plan(viewer, search);
  const [row] = await sql.$queryRaw<{ count: bigint }[]>(Prisma.sql`select count(*) from ${source} where ${where}`);
  return Number(row!.count);
}

export interface FacetCount {
  value: string;
  count: number;
}

const facets = {
  tags: Prisma.sql`select name as value, count(distinct asset_id)::int as count from image_tag where asset_id in (select id from found) group by name`,
  colors: Prisma.sql`select name as value, count(*)::int as count from (select asset_id, name from image_color where asset_id in (select id from found) group by asset_id, name having ${isDominant}) shares group by name`,
  formats: Prisma.sql`select format as value, count(*)::int as count from found group by format`,
  orientations: Prisma.sql`select case when width > height then 'LANDSCAPE' when width < height then 'PORTRAIT' else 'SQUARE' end as value, count(*)::int as count from found group by 1`,
};
export type FacetName = keyof typeof facets;

/** The values of one fact among all images that match, the commonest first, at most `limit`. */
export async function countFacet({ sql }: App, viewer: Viewer, search: ImageSearch, name: FacetName, limit: number): Promise<FacetCount[]> {
  const { source, where } = plan(viewer, search);
  return sql.$queryRaw<FacetCount[]>(Prisma.sql`
    with found as materialized (select asset.id, asset.format, asset.width, asset.height from ${source} where ${where})
    select value, count from (${facets[name]}) counted order by count desc, value limit ${limit}`);
}

