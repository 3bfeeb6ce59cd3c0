import { wordsOf } from '../assets/words.ts';
import { Prisma } from '../database/generated/client.ts';
import type { Sql } from '../database/sql.ts';
import { UserError } from '../errors.ts';

const maxQueryLength = 500;

/** What was asked for in words. */
export interface WordsQuery {
  /** The tsquery that a document must match. */
  matches: Prisma.Sql;
  /** The same without what is negated, or null when all is: what scores a document. */
  wanted: Prisma.Sql | null;
  /** At least one of what is wanted: what shows where a document has it. */
  anyWanted: Prisma.Sql | null;
}

interface Term {
  query: Prisma.Sql;
  isNegated: boolean;
}

/**
 * What a person typed. All words must occur; "quoted phrases", `or` and `-not` work as on the web, a hyphen inside a word joins it. The
 * last word also matches as a beginning, so that a search while typing finds things. `null` for a query without words: it restricts nothing.
 */
export function wordsQuery(text: string | null | undefined): WordsQuery | null {
  const query = (text ?? '').replaceAll('\0', ' ').trim();
  if (query.length > maxQueryLength) throw new UserError('INVALID_INPUT', `Expected a query of at most ${maxQueryLength} characters but received ${query.length}`);
  const choices: Term[][] = [[]];
  for (const { 0: whole, 1: minus, 2: phrase, 3: word, index } of query.matchAll(/(-?)(?:"([^"]*)"?|([^\s"]+))/g)) {
    if (whole.toLowerCase() === 'or') choices.push([]);
    else if (hasWord(whole)) choices.at(-1)!.push({ query: termQuery(phrase ?? word!, !minus && phrase === undefined && index + whole.length === query.length), isNegated: minus === '-' });
  }
  const matches = anyOf(choices.map((terms) => allOf(terms.map(({ query, isNegated }) => (isNegated ? Prisma.sql`!!${query}` : query)))));
  const wanted = choices.map((terms) => terms.filter(({ isNegated }) => !isNegated).map(({ query }) => query));
  return matches && { matches, wanted: anyOf(wanted.map(allOf)), anyWanted: anyOf(wanted.flat()) };
}

const hasWord = (text: string) => /[\p{L}\p{N}]/u.test(text);
const joined = (operator: string) => (queries: (Prisma.Sql | null)[]): Prisma.Sql | null => {
  const given = queries.filter((query) => query !== null);
  return given.length > 0 ? Prisma.sql`(${Prisma.join(given, operator)})` : null;
};
const allOf = joined(' && ');
const anyOf = joined(' || ');

/** A word or phrase both with its signs, which Postgres reads as those of hosts, numbers and compounds, and as the words between them, which is how file names are stored. */
function termQuery(text: string, mayBeUnfinished: boolean): Prisma.Sql {
  const words = wordsOf(text);
  const ways = [...new Set([text, words])].map((way) => Prisma.sql`phraseto_tsquery('english', ${way})`);
  if (mayBeUnfinished && words.length >= 3 && /[\p{L}\p{N}]$/u.test(text)) {
    // A beginning has no ending to take away. In a compound English counts the small words that it leaves out, as it did when the name was stored.
    const [language, beginning] = words.includes(' ') ? [Prisma.sql`'english'`, words.replaceAll(' ', ' <-> ')] : [Prisma.sql`'simple'`, words];
    ways.push(Prisma.sql`to_tsquery(${language}, ${`${beginning}:*`})`);
  }
  return anyOf(ways)!;
}

/** How well `document` matches, 0 to 1: ts_rank over title (A), caption and tags (B), text (C), file name (D), made x / (x + 1). */
export const wordsScore = (wanted: Prisma.Sql) => Prisma.sql`ts_rank('{0.4, 0.4, 0.7, 1}', document.words, ${wanted}, 32)::float8`;

export type MatchedField = 'TITLE' | 'CAPTION' | 'TAG' | 'TEXT' | 'FILENAME';

/** Where each document contains at least one of the words, and the place that shows it best. */
export async function explainWords(
  sql: Sql,
  assetIds: string[],
  anyWanted: Prisma.Sql,
): Promise<Map<string, { matchedBy: MatchedField[]; highlight: string | null }>> {
  if (assetIds.length === 0) return new Map();
  const rows = await sql.$queryRaw<{ assetId: string; title: boolean; caption: boolean; tag: boolean; text: boolean; filename: boolean; highlight: string }[]>(Prisma.sql`
    with wish as (select ${anyWanted} as any_word)
    select document.asset_id as "assetId",
      to_tsvector('english', title) @@ any_word as title, to_tsvector('english', caption) @@ any_word as caption,
      to_tsvector('english', tags) @@ any_word as tag, to_tsvector('english', text) @@ any_word as text,
      to_tsvector('english', filename) @@ any_word as filename,
      ts_headline('english', concat_ws(' · ', nullif(title, ''), nullif(caption, ''), nullif(tags, ''), nullif(text, ''), nullif(filename, '')), any_word,
        'StartSel=**, StopSel=**, MaxWords=20, MinWords=8, ShortWord=0') as highlight
    from search_document document, wish where document.asset_id = any(${assetIds}::uuid[])`);
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
