import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { colorLikeness } from '../../src/compute/color-likeness.ts';
import { drawSample, sampleNames } from '../../src/compute/draw.ts';
import { parseColor } from '../../src/compute/parse-color.ts';
import { startTestApp, type TestApp } from '../app.ts';
import type { TestClient } from '../client.ts';

let darkroom: TestApp;
let client: TestClient;
let images: Map<string, string>;

beforeAll(async () => {
  darkroom = await startTestApp();
  client = await darkroom.client();
  images = await client.uploadAndAnalyze(await Promise.all(sampleNames.map(async (name) => ({ name, bytes: await drawSample(name, { width: 400 }) }))));
}, 120_000);
afterAll(() => darkroom.stop());

interface Edge {
  score: number;
  cursor: string;
  match: string;
  hashDistance: number | null;
  matchedBy: string[];
  highlight: string | null;
  node: { id: string; filename: string };
}

const search = async (variables: object): Promise<{ totalCount: number; edges: Edge[]; pageInfo: { hasNextPage: boolean; endCursor: string }; facets: Record<string, { value: string; count: number }[]> }> =>
  (
    await client.get(
      `query ($query: String, $filter: ImageFilter, $orderBy: ImageOrder, $first: Int, $after: String) {
        searchImages(query: $query, filter: $filter, orderBy: $orderBy, first: $first, after: $after) {
          totalCount pageInfo { hasNextPage endCursor } edges { score cursor matchedBy highlight node { id filename } }
          facets { tags { value count } colors { value count } formats { value count } orientations { value count } } } }`,
      variables,
    )
  ).searchImages;
const names = ({ edges }: { edges: Edge[] }) => edges.map((edge) => edge.node.filename);

test('a search by words finds the picture that is named so, first, and says where the words were', async () => {
  const found = await search({ query: 'red car' });
  expect(names(found).slice(0, 2).sort()).toEqual(['red-car-small-copy.webp', 'red-car.jpg']);
  expect(found.edges[0]!.matchedBy).toContain('FILENAME');
  expect(found.edges[0]!.highlight).toMatch(/\*\*/);
  expect(names(await search({ query: 'sailing boats' }))).toEqual(['sailing-boat.webp']);
  expect(names(await search({ query: 'chequer' }))).toEqual(['chequerboard-black-white.png']);
  expect(names(await search({ query: 'mountains -mirrored' }))).toEqual(['snowy-mountains.jpg']);
  expect(names(await search({ query: '"street lights" or mug' })).sort()).toEqual(['blurred-street-lights.jpg', 'yellow-mug-on-white.jpg']);
});

test('a file is found by its name as it is written, whole or begun, and a word by its hyphens', async () => {
  const stranger = await darkroom.client();
  const files = ['coffee-small.jpg', 'red-car.jpg', 'DSC-0012.png', '2024-05-01.jpg', 'view_of-the-sea.png', 'IMG_1234.JPG', 'mug.webp'];
  const shades = await Promise.all(files.map((_, index) => sharp({ create: { width: 64, height: 64, channels: 3, background: { r: 30 * index, g: 90, b: 120 } } }).png().toBuffer()));
  const { results } = await stranger.upload(files.map((name, index) => ({ name, bytes: shades[index]! })), { run: [] });
  await stranger.get('mutation ($id: ID!) { updateImage(id: $id, input: { title: "My mother-in-law at red-car.example", tags: ["black-and-white"] }) { id } }', { id: results.at(-1).image.id });
  const find = async (query: string) => {
    const { searchImages } = await stranger.get('query ($query: String!) { searchImages(query: $query) { edges { matchedBy highlight node { filename } } } }', { query });
    return (searchImages.edges as Edge[]).map(({ node, matchedBy }) => [node.filename, ...matchedBy].join(' ')).sort();
  };
  for (const name of files) expect(await find(name), name).toEqual([`${name} FILENAME`]);
  for (const [query, name] of [['coffee-sm', 'coffee-small.jpg'], ['DSC-00', 'DSC-0012.png'], ['2024-05', '2024-05-01.jpg'], ['2024-05-01', '2024-05-01.jpg'], ['view_of-the-se', 'view_of-the-sea.png'], ['"red-car.jpg"', 'red-car.jpg'], ['small -red-car.jpg', 'coffee-small.jpg'], ['nothing or small-coffee or coffee', 'coffee-small.jpg']] as const) {
    expect(await find(query), query).toEqual([`${name} FILENAME`]);
  }
  for (const [query, ...matchedBy] of [['mother-in-law', 'TITLE'], ['"mother in law"', 'TITLE'], ['law red-car.example', 'TITLE'], ['black-and-white', 'TAG'], ['black-and-wh', 'TAG'], ['mother-in-law black-and-white', 'TITLE', 'TAG']] as const) {
    expect(await find(query), query).toEqual([['mug.webp', ...matchedBy].join(' ')]);
  }
  expect(await find('-png -jpg')).toEqual(['mug.webp']);
  expect(await find('red-car -"red car jpg"')).toEqual([]);
});

test('what is left out changes no score and no order, and only leaving out scores nothing', async () => {
  const rank = ({ edges }: { edges: Edge[] }) => edges.map(({ node, score }) => [node.filename, score]);
  const whole = rank(await search({ query: 'red or car' }));
  expect(whole.length).toBeGreaterThan(2);
  const without = rank(await search({ query: 'red -copy or car -copy' }));
  expect(without).toEqual(whole.filter(([name]) => !String(name).includes('copy')));
  expect(new Set(without.map(([, score]) => score)).size).toBeGreaterThan(1);
  const rest = await search({ query: '-red', first: 100 });
  expect(rest.edges.map(({ score, matchedBy }) => ({ score, matchedBy }))).toEqual(rest.edges.map(() => ({ score: null, matchedBy: [] })));
  expect(names(rest)).toEqual(names(await search({ query: '-red', orderBy: 'NEWEST', first: 100 })));
  expect(rest.totalCount).toBeGreaterThan(2);
  const colored = await search({ query: '-copy', filter: { color: { near: '#c8201e' } } });
  expect(rank(colored)).toEqual(rank(await search({ filter: { color: { near: '#c8201e' } } })).filter(([name]) => !String(name).includes('copy')));
});

test('a text inside a picture that could be read is found', async () => {
  const { image } = await client.get('query ($id: ID!) { image(id: $id) { analysis { codes { format text } tags { name } } } }', { id: images.get('qr-code-poster.png') });
  expect(image.analysis.codes[0].format).toMatch(/QR/i);
  const word = (/[a-z]{4,}/i.exec(image.analysis.codes[0].text.replace(/^\w+:\/\//, '')) ?? [])[0];
  expect(names(await search({ query: word }))).toContain('qr-code-poster.png');
});

test('a search by colour ranks by how much of the picture has it', async () => {
  const red = await search({ filter: { color: { near: '#c8201e' } } });
  expect(names(red)[0]).toMatch(/^red-car/);
  expect(red.edges[0]!.matchedBy).toEqual(['COLOR']);
  const scores = red.edges.map((edge) => edge.score);
  expect(scores).toEqual([...scores].sort((a, b) => b - a));
  expect(names(await search({ filter: { color: { near: 'white', minShare: 0.5 } } }))).toEqual(expect.arrayContaining(['text-page.png']));
  expect((await search({ query: 'car', filter: { color: { near: '#c8201e' } } })).edges[0]!.node.filename).toMatch(/^red-car/);
});

test('what the database scores is how much of the palette goes by the name, or is like the colour', async () => {
  const { images: { nodes } } = await client.get('{ images(first: 100) { nodes { filename analysis { colors { palette { hex name share } } } } } }');
  for (const near of ['black', ' Teal', 'grey', '#0c0e0d', '#777777', '#63a7db', '#e3912f', '#bbac80']) {
    const scores = new Map((await search({ filter: { color: { near, minShare: 0 } }, first: 100 })).edges.map(({ node, score }) => [node.filename, score]));
    const name = near.startsWith('#') ? undefined : near.trim().toLowerCase().replace('grey', 'gray');
    const counts = (color: { hex: string; name: string }) => (name ? Number(color.name === name) : colorLikeness(parseColor(near)!, parseColor(color.hex)!));
    for (const { filename, analysis } of nodes as { filename: string; analysis: { colors: { palette: { hex: string; name: string; share: number }[] } } }[]) {
      const expected = analysis.colors.palette.reduce((sum, color) => sum + color.share * counts(color), 0);
      expect(Math.abs(scores.get(filename)! - Math.min(1, expected)), `${near} in ${filename}`).toBeLessThan(0.03);
    }
  }
});

test('facts filter, and every total and facet counts what really matches', async () => {
  const all = await search({ first: 100 });
  expect(all.totalCount).toBe(images.size);
  expect(all.edges).toHaveLength(images.size);
  for (const { value, count } of all.facets.formats!) expect((await search({ filter: { format: [value] } })).totalCount).toBe(count);
  for (const { value, count } of all.facets.orientations!) expect((await search({ filter: { orientation: [value] } })).totalCount).toBe(count);
  for (const { value, count } of all.facets.tags!.slice(0, 5)) expect((await search({ filter: { tags: [value] } })).totalCount).toBe(count);
  for (const { value, count } of all.facets.colors!) expect((await search({ filter: { colors: [value] } })).totalCount, value).toBe(count);
  const [first, second] = all.facets.colors!.map(({ value }) => value);
  const both = await search({ filter: { colors: [first, second] } });
  expect(both.facets.colors!.filter(({ value }) => value === first || value === second).map(({ count }) => count)).toEqual([both.totalCount, both.totalCount]);
  expect((await search({ filter: { tags: ['no such tag'] } })).totalCount).toBe(0);
  expect((await search({ filter: { createdAt: { from: '2100-01-01T00:00:00Z' } } })).totalCount).toBe(0);
  const wide = await search({ filter: { width: { from: 400 }, analyzed: true } });
  expect(wide.totalCount).toBeGreaterThan(0);
});

test('cursors lead through every page to the last, in every order, none twice and none missing', async () => {
  for (const variables of [{}, { orderBy: 'OLDEST' }, { orderBy: 'LARGEST' }, { orderBy: 'SMALLEST' }, { filter: { color: { near: 'gray', minShare: 0 } } }, { query: 'jpg' }]) {
    const whole = names(await search({ ...variables, first: 100 }));
    const walked: string[] = [];
    let after: string | undefined;
    for (let page = await search({ ...variables, first: 3 }); ; page = await search({ ...variables, first: 3, after })) {
      walked.push(...names(page));
      if (!page.pageInfo.hasNextPage) break;
      after = page.pageInfo.endCursor;
    }
    expect(walked).toEqual(whole);
    expect(new Set(walked).size).toBe(walked.length);
  }
  const backwards = await client.get('{ images(last: 3) { nodes { filename } } }');
  const oldest = names(await search({ orderBy: 'OLDEST', first: 3 }));
  expect(backwards.images.nodes.map((node: { filename: string }) => node.filename)).toEqual(oldest.reverse());
});

test('a page that is too large is refused, never cut', async () => {
  const { errors } = await client.ask('{ images(first: 500) { totalCount } }');
  expect(errors?.[0]).toMatchObject({ message: 'Expected first between 0 and 100 but received 500', extensions: { code: 'INVALID_INPUT' } });
});

const similarQuery = `query ($to: SimilarToInput!, $minScore: Float, $filter: ImageFilter, $first: Int, $after: String) {
  similarImages(to: $to, minScore: $minScore, filter: $filter, first: $first, after: $after) {
    pageInfo { hasNextPage endCursor } edges { score distance hashDistance match cursor node { id filename } } } }`;
const similar = async (name: string, variables: object = {}): Promise<{ edges: Edge[]; pageInfo: { hasNextPage: boolean; endCursor: string } }> =>
  (await client.get(similarQuery, { to: { imageId: images.get(name) }, ...variables })).similarImages;

test('the copy of a picture is the most similar one, as a near-duplicate with a score', async () => {
  for (const [one, other] of [['red-car.jpg', 'red-car-small-copy.webp'], ['sunset-over-the-sea.jpg', 'sunset-over-the-sea-brighter.jpg'], ['snowy-mountains.jpg', 'snowy-mountains-mirrored.jpg']] as const) {
    const [first, second] = (await similar(one)).edges;
    expect(first).toMatchObject({ match: 'NEAR_DUPLICATE', node: { filename: other } });
    expect(first!.score).toBeGreaterThan(0.85);
    expect(second!.score).toBeLessThan(first!.score);
    expect(second!.match).not.toBe('NEAR_DUPLICATE');
  }
});

test('minScore cuts, cursors go on, and filters hold for similar images too', async () => {
  const whole = (await similar('red-car.jpg', { first: 100 })).edges;
  expect(whole).toHaveLength(images.size - 1);
  expect((await similar('red-car.jpg', { minScore: 0.9 })).edges.map((edge) => edge.node.filename)).toEqual(whole.filter((edge) => edge.score >= 0.9).map((edge) => edge.node.filename));
  const walked: string[] = [];
  let page = await similar('red-car.jpg', { first: 4 });
  for (;;) {
    walked.push(...names(page));
    if (!page.pageInfo.hasNextPage) break;
    page = await similar('red-car.jpg', { first: 4, after: page.pageInfo.endCursor });
  }
  expect(walked).toEqual(whole.map((edge) => edge.node.filename));
  for (const query of ['query ($to: SimilarToInput!, $after: String) { similarImages(to: $to, after: $after) { edges { cursor } } }', 'query ($after: String) { searchImages(query: "car", after: $after) { edges { cursor } } }']) {
    const { errors } = await client.ask(query, { ...(query.includes('$to') && { to: { imageId: images.get('snowy-mountains.jpg') } }), after: whole[3]!.cursor });
    expect(errors, query).toMatchObject([{ message: expect.stringMatching(/a cursor of the same list/) as string, extensions: { code: 'INVALID_INPUT' } }]);
  }
  const pngs = names(await similar('red-car.jpg', { filter: { format: ['PNG'] } }));
  expect(pngs.every((name) => name.endsWith('.png'))).toBe(true);
});

test('a file that is not stored is compared, and stays unstored', async () => {
  const original = await drawSample('night-city.jpg', { width: 400 });
  const ask = async (bytes: Buffer) => (await client.send(similarQuery, [{ name: 'x', bytes }], { to: { file: null } }, 'to.file')).data.similarImages.edges as Edge[];
  expect((await ask(original))[0]).toMatchObject({ match: 'IDENTICAL', node: { filename: 'night-city.jpg' } });
  const edited = await sharp(original).resize(300).modulate({ brightness: 1.1 }).webp({ quality: 60 }).toBuffer();
  expect((await ask(edited))[0]).toMatchObject({ match: 'NEAR_DUPLICATE', node: { filename: 'night-city.jpg' } });
  expect((await client.get('{ images { totalCount } }')).images.totalCount).toBe(images.size);
  const { errors } = await client.send(similarQuery, [{ name: 'x', bytes: Buffer.from('<svg/>') }], { to: { file: null } }, 'to.file');
  expect(errors?.[0]?.extensions.code).toBe('UNSUPPORTED_TYPE');
});

test('near-duplicates form groups, and an image knows its own', async () => {
  const { duplicateGroups } = await client.get('{ duplicateGroups { totalCount nodes { size images { filename } } } }');
  const groups = duplicateGroups.nodes.map((group: { images: { filename: string }[] }) => group.images.map((image) => image.filename).sort());
  expect(groups).toEqual(expect.arrayContaining([['red-car-small-copy.webp', 'red-car.jpg'], ['sunset-over-the-sea-brighter.jpg', 'sunset-over-the-sea.jpg'], ['snowy-mountains-mirrored.jpg', 'snowy-mountains.jpg']]));
  expect(duplicateGroups.totalCount).toBe(groups.length);
  const { image } = await client.get('query ($id: ID!) { image(id: $id) { duplicates { size } similar(first: 1) { edges { match node { filename } } } } }', { id: images.get('red-car.jpg') });
  expect(image).toEqual({ duplicates: { size: 2 }, similar: { edges: [{ match: 'NEAR_DUPLICATE', node: { filename: 'red-car-small-copy.webp' } }] } });
  expect((await client.get('query ($id: ID!) { image(id: $id) { duplicates { size } } }', { id: images.get('text-page.png') })).image.duplicates).toBeNull();
});

test('of more copies than are linked the nearest are linked, in whichever order they came', async () => {
  const copier = await darkroom.client();
  const uploaded = await copier.uploadAndAnalyze([{ name: 'red-car.jpg', bytes: await drawSample('red-car.jpg', { width: 400 }) }]);
  const assetId = Buffer.from(uploaded.get('red-car.jpg')!, 'base64').toString().slice('Image:'.length);
  const { db } = darkroom.app;
  // Two copies at each distance from 30 bits down to 1, which only their hashes tell.
  await db.$executeRaw`
    insert into asset (id, owner_id, kind, width, height, format, frames, has_alpha, filename, content_type, byte_size, sha256, storage_key, created_at)
    select md5('copy' || n)::uuid, ${copier.viewer}, 'IMAGE', 1, 1, 'PNG', 1, false, n::text, 'image/png', 1, lpad(n::text, 64, '0'), 'originals/copy-' || n, now() from generate_series(60, 1, -1) n`;
  await db.$executeRaw`
    insert into image_hash (asset_id, owner_id, pdq, pdq_trimmed, quality)
    select md5('copy' || n)::uuid, owner_id, pdq # flipped, pdq_trimmed # flipped, quality
    from image_hash, generate_series(60, 1, -1) n, lateral (select lpad(repeat('1', (n + 1) / 2), 256, '0')::bit(256) as flipped) bits where asset_id = ${assetId}::uuid`;
  await db.$executeRaw`
    insert into image_vector (asset_id, owner_id, model, embedding)
    select md5('copy' || n)::uuid, owner_id, model, array_fill(0.0625, array[256])::vector from image_vector, generate_series(60, 1, -1) n where asset_id = ${assetId}::uuid`;
  const { analyzeImages } = await copier.get('mutation ($ids: [ID!]!) { analyzeImages(imageIds: $ids, options: { useCache: false }) { jobs { id } } }', { ids: [uploaded.get('red-car.jpg')] });
  await copier.untilEnded([analyzeImages.jobs[0].id]);
  const links = await db.nearDuplicate.findMany({ where: { assetId }, orderBy: { distance: 'asc' } });
  expect(links.map(({ distance }) => distance)).toEqual(Array.from({ length: 50 }, (_, index) => 1 + (index >> 1)));
});

test('groups are found among more images than a statement has parameters', async () => {
  const crowded = await darkroom.client();
  const { db } = darkroom.app;
  const pairs = 16_400;
  await db.$executeRaw`
    insert into asset (id, owner_id, kind, width, height, format, frames, has_alpha, filename, content_type, byte_size, sha256, storage_key, created_at)
    select md5(n::text)::uuid, ${crowded.viewer}, 'IMAGE', 1, 1, 'PNG', 1, false, n::text, 'image/png', 1, lpad(n::text, 64, '0'), 'originals/crowd-' || n, now() + n * interval '1 ms' from generate_series(1, ${2 * pairs}::int) n`;
  await db.$executeRaw`
    insert into near_duplicate (asset_id, other_id, owner_id, distance, cosine)
    select md5(n::text)::uuid, md5((case when n <= ${pairs}::int then n + ${pairs}::int else n - ${pairs}::int end)::text)::uuid, ${crowded.viewer}, 0, 1 from generate_series(1, ${2 * pairs}::int) n`;
  const { duplicateGroups } = await crowded.get('{ duplicateGroups(first: 2) { totalCount nodes { images { filename } } } }');
  expect(duplicateGroups).toEqual({ totalCount: pairs, nodes: [1, 2].map((n) => ({ images: [{ filename: `${n}` }, { filename: `${n + pairs}` }] })) });
});

test('an analysis made again replaces what search knew, and leaves the viewer\'s own tags', async () => {
  const { db } = darkroom.app;
  const assetId = Buffer.from(images.get('red-car.jpg')!, 'base64').toString().slice('Image:'.length);
  const [ownerId, otherId] = [client.viewer, Buffer.from(images.get('snowy-mountains.jpg')!, 'base64').toString().slice('Image:'.length)];
  const known = async () => ({
    tags: await db.imageTag.findMany({ where: { assetId }, orderBy: [{ source: 'asc' }, { name: 'asc' }] }),
    colors: await db.imageColor.findMany({ where: { assetId }, orderBy: { position: 'asc' } }),
    pairs: await db.nearDuplicate.findMany({ where: { OR: [{ assetId }, { otherId: assetId }] }, orderBy: [{ assetId: 'asc' }, { otherId: 'asc' }] }),
    words: await db.searchDocument.findMany({ where: { assetId }, select: { title: true, caption: true, text: true, filename: true } }),
  });
  await client.get('mutation ($id: ID!) { updateImage(id: $id, input: { tags: ["mine"] }) { id } }', { id: images.get('red-car.jpg') });
  const before = await known();
  expect(before.pairs.length).toBeGreaterThan(0);
  await db.imageTag.create({ data: { assetId, ownerId, name: 'stale', source: 'local', confidence: 1 } });
  await db.imageTag.updateMany({ where: { assetId, source: { not: 'user' } }, data: { confidence: 0.01 } });
  await db.imageColor.create({ data: { assetId, ownerId, position: 99, name: 'stale', share: 1, l: 0, a: 0, b: 0 } });
  await db.nearDuplicate.createMany({ data: [{ assetId, otherId, ownerId, distance: 1, cosine: 1 }, { assetId: otherId, otherId: assetId, ownerId, distance: 1, cosine: 1 }] });
  await db.nearDuplicate.updateMany({ where: { assetId }, data: { distance: 200 } });

  const { analyzeImages } = await client.get('mutation ($ids: [ID!]!) { analyzeImages(imageIds: $ids, options: { useCache: false }) { jobs { id } } }', { ids: [images.get('red-car.jpg')] });
  await client.untilEnded([analyzeImages.jobs[0].id]);
  expect(await known()).toEqual(before);
  expect(names(await search({ query: 'mine' }))).toEqual(['red-car.jpg']);
});

test('hostile searches are searches: escaped, capped, and answered', async () => {
  for (const query of ['%', '_', '\\', "'; drop table asset; --", '!!!', '& | ! ( )', ':*', '"', '   ', 'a'.repeat(500)]) {
    expect((await client.ask('query ($query: String) { searchImages(query: $query) { totalCount edges { matchedBy highlight } } }', { query })).errors, query).toBeUndefined();
  }
  expect((await client.ask('query ($query: String) { searchImages(query: $query) { totalCount } }', { query: 'a'.repeat(100_000) })).errors?.[0]?.extensions.code).toBe('INVALID_INPUT');
  expect((await client.ask('{ searchImages(filter: { color: { near: "reddish" } }) { totalCount } }')).errors?.[0]?.message).toMatch(/CSS colour.*"reddish"/);
  expect((await client.ask('{ searchImages(filter: { colors: ["reddish"] }) { totalCount } }')).errors?.[0]).toMatchObject({ message: expect.stringMatching(/among black, blue.*"reddish"/) as string, extensions: { code: 'INVALID_INPUT' } });
  expect((await client.ask('{ images(after: "nonsense") { edges { cursor } } }')).errors?.[0]?.extensions.code).toBe('INVALID_INPUT');
});

test('a filter with many tags is one condition: all of its tags, in whatever case, or at least one', async () => {
  const id = images.get('snowy-mountains.jpg');
  const own = Array.from({ length: 48 }, (_, n) => `peak ${n}`);
  await client.get('mutation ($id: ID!, $tags: [String!]!) { updateImage(id: $id, input: { tags: $tags }) { id } }', { id, tags: own });
  const found = async (filter: object) => names(await search({ filter }));
  const [ofAnalysis] = (await client.get('query ($id: ID!) { image(id: $id) { analysis { tags { name } } } }', { id })).image.analysis.tags;
  expect(await found({ tags: [...own.map((name) => ` ${name.toUpperCase()} `), own[0], ofAnalysis.name] })).toEqual(['snowy-mountains.jpg']);
  expect(await found({ tags: [...own, 'peak 48'] })).toEqual([]);
  expect(await found({ anyTags: ['peak 48', own[3]] })).toEqual(['snowy-mountains.jpg']);

  const many = Array.from({ length: 51 }, (_, n) => String(n));
  for (const field of ['tags', 'anyTags']) {
    const { errors } = await client.ask('query ($filter: ImageFilter) { images(filter: $filter) { nodes { id } } }', { filter: { [field]: many } });
    expect(errors).toMatchObject([{ message: `Expected at most 50 names in ${field} but received 51`, extensions: { code: 'INVALID_INPUT' } }]);
  }
});

test('a value that comes again and again in a filter counts once', async () => {
  const again = <Value>(value: Value) => Array.from({ length: 40_000 }, () => value);
  const count = async (filter: object) => (await client.get('query ($filter: ImageFilter) { images(filter: $filter) { totalCount } }', { filter })).images.totalCount;
  expect(await count({ orientation: again('LANDSCAPE'), format: again('JPEG') })).toBe(await count({ orientation: ['LANDSCAPE'], format: ['JPEG'] }));
  const { jobs } = await client.get('query ($filter: JobFilter) { jobs(filter: $filter) { totalCount } }', { filter: { status: again('COMPLETED'), operation: again('ANALYZE') } });
  expect(jobs.totalCount).toBeGreaterThan(0);
});

test('a cursor that no page gave is refused, whatever it is made of', async () => {
  const id = '0'.repeat(8) + '-0000-0000-0000-' + '0'.repeat(12);
  const moment = new Date().toISOString();
  const cursor = (...parts: unknown[]) => Buffer.from(JSON.stringify(parts)).toString('base64url');
  const code = async (list: string, after: string) => (await client.ask(`query ($after: String) { ${list} { edges { cursor } } }`, { after })).errors?.[0]?.extensions.code;
  const times = ['nodate', '2020', '+275760-09-13T00:00:00.000Z', '0000-01-01T00:00:00.000Z', 7, null].map((value) => cursor(value, id));
  const wrong: Record<string, string[]> = {
    'images(after: $after)': times,
    'jobs(after: $after)': times,
    'searchImages(orderBy: OLDEST, after: $after)': times,
    'searchImages(orderBy: LARGEST, after: $after)': [1.5, 2 ** 31, '7'].map((value) => cursor(value, id)),
    'searchImages(query: "car", after: $after)': [Buffer.from(`[1e999,"${id}"]`).toString('base64url'), cursor('7', id)],
    'duplicateGroups(after: $after)': [cursor(7, id)],
  };
  for (const [list, cursors] of Object.entries(wrong)) {
    for (const after of [...cursors, cursor(moment, '-'.repeat(36)), cursor(7, '0'.repeat(36)), 'nonsense']) expect([list, after, await code(list, after)]).toEqual([list, after, 'INVALID_INPUT']);
  }
});

test.each([{ filter: { anyTags: ['a\0b'] } }, { filter: { tags: ['\0'], orientation: ['LANDSCAPE'] } }])('text that no database can hold is said to be refused: %j', async (variables) => {
  const { errors } = await client.ask('query ($filter: ImageFilter) { images(filter: $filter) { nodes { id } } }', variables);
  expect(errors).toMatchObject([{ message: 'Expected text without NUL characters', extensions: { code: 'INVALID_INPUT' } }]);
});

test('so it is where Prisma asks', async () => {
  const { errors } = await client.ask('mutation ($id: ID!) { removeBackground(imageId: $id, options: { idempotencyKey: "a\\u0000b" }) { id } }', { id: images.get('red-car.jpg') });
  expect(errors).toMatchObject([{ extensions: { code: 'INVALID_INPUT' } }]);
});

test('an answer has its fields in the order of the query, whatever was ready first', async () => {
  const { data } = await client.ask('{ images(first: 1) { nodes { url { url } placeholder { dataUri } filename jobs { totalCount } id } totalCount } viewer { kind id } }');
  expect(Object.keys(data)).toEqual(['images', 'viewer']);
  expect(Object.keys(data.images)).toEqual(['nodes', 'totalCount']);
  expect(Object.keys(data.images.nodes[0])).toEqual(['url', 'placeholder', 'filename', 'jobs', 'id']);
});
