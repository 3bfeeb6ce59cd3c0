import { Prisma } from '../database/generated/client.ts';
import type { Sql } from '../database/sql.ts';
import { UserError } from '../errors.ts';

const maxQueryLength = 500;

/**
 * What a person typed, as a tsquery. All words must occur; "quoted phrases", `or` and `-not` work as on the web. The last word also
 * matches as a beginning, so that a search while typing finds things. `null` for a query without words: it restricts nothing.
 */
export function wordsQuery(text: string | null | undefined): Prisma.Sql | null {
  const query = (text ?? '').replaceAll('\0', ' ').trim();
  if (query.length > maxQueryLength) throw new UserError('INVALID_INPUT', `Expected a query of at most ${maxQueryLength} characters but received ${query.length}`);
  if (!/[\p{L}\p{N}]/u.test(query)) return null;
  const [, rest, last] = /^(.*?)([\p{L}\p{N}]{3,})$/su.exec(query) ?? [];
  const isPlain = last && !/["-]|\bor\b/i.test(query);
  if (!isPlain) return Prisma.sql`websearch_to_tsquery('english', ${query})`;
  const ending = Prisma.sql`(websearch_to_tsquery('english', ${last}) || to_tsquery('simple', ${`${last}:*`}))`;
  return rest?.trim() ? Prisma.sql`(websearch_to_tsquery('english', ${rest}) && ${ending})` : ending;
}

/** How well `document` matches, 0 to 1: ts_rank over title (A), caption and tags (B), text (C), file name (D), made x / (x + 1). */
export const wordsScore = (query: Prisma.Sql) => Prisma.sql`ts_rank('{0.4, 0.4, 0.7, 1}', document.words, ${query}, 32)::float8`;

export type MatchedField = 'TITLE' | 'CAPTION' | 'TAG' | 'TEXT' | 'FILENAME';

/** Where each document contains at least one of the words, and the place that shows it best. */
export async function explainWords(
  sql: Sql,
  assetIds: string[],
  query: Prisma.Sql,
): Promise<Map<string, { matchedBy: MatchedField[]; highlight: string | null }>> {
  if (assetIds.length === 0) return new Map();
  const rows = await sql.$queryRaw<{ assetId: string; title: boolean; caption: boolean; tag: boolean; text: boolean; filename: boolean; highlight: string }[]>(Prisma.sql`
    with wish as (select ${query} as all_words, coalesce(replace(nullif(querytree(${query}), 'T'), '&', '|'), '')::tsquery as any_word)
    select document.asset_id as "assetId",
      to_tsvector('english', title) @@ any_word as title, to_tsvector('english', caption) @@ any_word as caption,
      to_tsvector('english', tags) @@ any_word as tag, to_tsvector('english', text) @@ any_word as text,
      to_tsvector('english', filename) @@ any_word as filename,
      ts_headline('english', concat_ws(' · ', nullif(title, ''), nullif(caption, ''), nullif(tags, ''), nullif(text, ''), nullif(filename, '')), any_word,
        'StartSel=**, StopSel=**, MaxWords=20, MinWords=8, ShortWord=0') as highlight
    from search_document document, wish where document.asset_id in (${Prisma.join(assetIds.map((id) => Prisma.sql`${id}::uuid`))})`);
  return new Map(
    rows.map(({ assetId, highlight, ...fields }) => [
      assetId,
      {
        matchedBy: (Object.entries(fields) as [Lowercase<MatchedField>, boolean][]).filter(([, matches]) => matches).map(([field]) => field.toUpperCase() as MatchedField),
        highlight: highlight.includes('**') ? highlight : null,
      },
    ]),
  );
}
