import { colorLikeness } from '../../src/compute/color-likeness.ts';
import { parseColor } from '../../src/compute/parse-color.ts';
import type { Client } from './client.ts';
import { bestLikeness, tellingColor, tellingWords, type Count, type Neighbour, type Painted } from './questions.ts';
import type { Screen } from './screen.ts';
import { count } from './upload.ts';

interface Library {
  images: { totalCount: number; nodes: (Named & { id: string; analysis: { colors: { palette: Painted['palette'] } } | null })[] };
  searchImages: { facets: { tags: Count[]; colors: Count[] } };
}
interface Named {
  filename: string;
}
interface Found {
  searchImages: { totalCount: number; edges: { score: number; matchedBy: string[]; highlight: string | null; node: Named & { analysis: { colors: { palette: Painted['palette'] } } | null } }[] };
}
interface Generated {
  generateImages: { status: string; failure: { message: string } | null; result: { images: (Named & { width: number; height: number; origin: { model: string } })[] } | null };
}
type SimilarEdge = Neighbour & { hashDistance: number | null; node: Named };

const libraryQuery = `{
  images(first: 100) { totalCount nodes { id filename analysis { colors { palette { hex name share } } } } }
  searchImages { facets { tags(first: 100) { value count } colors { value count } } } }`;
const searchQuery = `query ($query: String, $filter: ImageFilter) { searchImages(query: $query, filter: $filter, first: 5) {
  totalCount edges { score matchedBy highlight node { filename analysis { colors { palette { hex name share } } } } } } }`;
const similarQuery = '{ images(first: 100) { nodes { filename similar(first: 5) { edges { score match hashDistance node { filename } } } } } }';
const duplicatesQuery = '{ duplicateGroups(first: 5) { totalCount nodes { size images(first: 5) { filename } } } }';
const generateMutation = `mutation ($input: GenerateImagesInput!) { generateImages(input: $input, options: { provider: "local", waitMs: 30000 }) {
  status failure { message } result { ... on GenerateImagesResult { images { id filename width height origin { model } } } } } }`;
const refusalMutation = 'mutation ($files: [File!]!) { uploadImages(files: $files) { results { ... on RefusedFile { filename code message hint } } } }';

/** Asks the library what it is good at: words, colours, likeness, copies, and a refusal. `words` are searched instead of a telling one. */
export async function showQueries(screen: Screen, client: Client, words?: string): Promise<void> {
  const { images, searchImages: { facets } } = await client.ask<Library>(libraryQuery);
  await showWords(screen, client, images.totalCount, words ? [words] : tellingWords(images.nodes.map(({ filename }) => filename), facets.tags).slice(0, 10).map(({ value }) => value));
  await showColor(screen, client, images, facets.colors);
  await showSimilar(screen, client);
  await showDuplicates(screen, client);
  await showRefusal(screen, client);
}

async function showWords(screen: Screen, client: Client, total: number, candidates: string[]): Promise<void> {
  for (const query of candidates) {
    const { answer: { searchImages: found }, ms } = await timed(() => client.ask<Found>(searchQuery, { query }));
    if (found.totalCount === 0) continue;
    screen.title(`Search for “${query}”`, `${found.totalCount} of ${count(total, 'picture')}, ${ms} ms`);
    screen.table(['FILE', 'SCORE', 'MATCH', 'WHY'], found.edges.map(({ node, score, matchedBy, highlight }) => [node.filename, score.toFixed(2), spoken(matchedBy.join(', ')), highlight ?? '']));
    return;
  }
  throw new Error(`Expected a search for ${candidates.map((word) => `"${word}"`).join(' or ')} to find a picture but it found none`);
}

async function showColor(screen: Screen, client: Client, images: Library['images'], colors: Count[]): Promise<void> {
  const color = tellingColor(images.nodes.map(({ filename, analysis }) => ({ filename, palette: analysis?.colors.palette ?? [] })), colors);
  if (!color) throw new Error('Expected the analysis to name a colour but it named none');
  const { answer: { searchImages: found }, ms } = await timed(() => client.ask<Found>(searchQuery, { filter: { color: { near: color.hex } } }));
  screen.title(`Pictures with the ${color.name} ${color.hex}`, `of ${color.filename}; ${found.totalCount} of ${count(images.totalCount, 'picture')}, ${ms} ms`);
  if (found.totalCount === 0) throw new Error(`Expected a search for ${color.hex} to find ${color.filename} but it found nothing`);
  screen.table(['FILE', 'SCORE', 'MATCH', 'WHY'], found.edges.map(({ node, score, matchedBy }) => {
    const shades = nearest(color.hex, node.analysis?.colors.palette ?? []).slice(0, 3);
    return [node.filename, score.toFixed(2), spoken(matchedBy.join(', ')), shades.map(({ hex, share }) => `${hex} ${Math.round(share * 100)} %`).join(', ')];
  }));
}

/** The colours that count as this one, those first to which the picture owes most of its score. */
function nearest(hex: string, palette: Painted['palette']): Painted['palette'] {
  const weight = (color: Painted['palette'][number]) => color.share * colorLikeness(parseColor(hex)!, parseColor(color.hex)!);
  return palette.filter((color) => weight(color) > 0).sort((one, other) => weight(other) - weight(one));
}

async function showSimilar(screen: Screen, client: Client): Promise<void> {
  const { answer, ms } = await timed(() => client.ask<{ images: { nodes: (Named & { similar: { edges: SimilarEdge[] } | null })[] } }>(similarQuery));
  const pictures = answer.images.nodes.map(({ filename, similar }) => ({ filename, neighbours: similar?.edges ?? [] }));
  const best = bestLikeness(pictures);
  if (!best) return screen.title('Pictures that look alike', 'there is only one picture, so it has no like');
  screen.title(`Pictures like ${best.filename}`, `the neighbours of ${count(pictures.length, 'picture')} in ${ms} ms`);
  screen.table(['FILE', 'SCORE', 'MATCH', 'WHY'], best.neighbours.map(({ node, score, match, hashDistance }) => [
    node.filename, score.toFixed(2), spoken(match), match === 'IDENTICAL' ? 'the same bytes' : hashDistance === null ? 'too little detail for a hash' : `${hashDistance} of 256 bits of the hash differ`,
  ]));
}

async function showDuplicates(screen: Screen, client: Client): Promise<void> {
  const { answer: { duplicateGroups: groups }, ms } = await timed(() => client.ask<{ duplicateGroups: { totalCount: number; nodes: { size: number; images: Named[] }[] } }>(duplicatesQuery));
  screen.title('Near-duplicates', `${groups.totalCount === 0 ? 'none' : count(groups.totalCount, 'group')}, ${ms} ms`);
  if (groups.totalCount > 0) screen.table(['SIZE', 'FILES'], groups.nodes.map(({ size, images }) => [String(size), images.map(({ filename }) => filename).join(', ')]));
}

async function showRefusal(screen: Screen, client: Client): Promise<void> {
  const drawing = { name: 'drawing.svg', bytes: Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="100" height="100"><circle cx="50" cy="50" r="40"/></svg>') };
  const { uploadImages: { results } } = await client.send<{ uploadImages: { results: { code?: string; message?: string; hint?: string | null }[] } }>(refusalMutation, [drawing]);
  const [result] = results;
  if (!result?.code) throw new Error('Expected an SVG to be refused but it was taken');
  screen.title('A file that is refused', 'an SVG may contain scripts, so it is no picture here');
  screen.table(['FILE', 'CODE', 'WHY'], [[drawing.name, result.code, [result.message, result.hint].filter(Boolean).join('. ')]]);
}

/** A picture from a prompt, found again by its words. */
export async function showGenerated(screen: Screen, client: Client): Promise<void> {
  const prompt = 'two oranges on a wooden table in the morning';
  const { answer: { generateImages: { result, failure, status } }, ms } = await timed(() => client.ask<Generated>(generateMutation, { input: { prompt, width: 960, height: 640, seed: 7 } }));
  const [image] = result?.images ?? [];
  if (!image) throw new Error(`Expected a picture of ${prompt} but the job is ${status}: ${failure?.message ?? 'no picture'}`);
  const { searchImages: { edges } } = await client.ask<Found>(searchQuery, { query: 'two oranges' });
  const place = edges.findIndex(({ node }) => node.filename === image.filename);
  if (place < 0) throw new Error(`Expected a search for “two oranges” to find ${image.filename} but it did not`);
  screen.title(`A picture of “${prompt}”`, `${image.width} × ${image.height}, by ${image.origin.model} in ${ms} ms`);
  screen.table(['FILE', 'SCORE', 'MATCH', 'WHY'], edges.slice(place, place + 1).map(({ node, score, matchedBy, highlight }) => [node.filename, score.toFixed(2), spoken(matchedBy.join(', ')), highlight ?? '']));
}

async function timed<Answer>(ask: () => Promise<Answer>): Promise<{ answer: Answer; ms: number }> {
  const startedAt = performance.now();
  const answer = await ask();
  return { answer, ms: Math.round(performance.now() - startedAt) };
}

/** "NEAR_DUPLICATE" as a person says it. */
const spoken = (name: string) => name.toLowerCase().replaceAll('_', '-');
