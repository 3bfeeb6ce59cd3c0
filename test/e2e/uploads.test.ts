import { afterAll, beforeAll, expect, test } from 'vitest';
import sharp from 'sharp';
import { drawSample } from '../../src/compute/draw.ts';
import { cutOutExample, type Example, similarExample, uploadExample } from '../../src/graphql/examples.ts';
import { startTestApp, type TestApp } from '../app.ts';

let darkroom: TestApp;
beforeAll(async () => (darkroom = await startTestApp({ UPLOAD_MAX_BYTES: '2MB', UPLOAD_MAX_FILES: '5' })));
afterAll(() => darkroom.stop());

const flat = (width: number, height: number, color = '#3a6ea5') => sharp({ create: { width, height, channels: 3, background: color } });
const car = () => drawSample('red-car.jpg', { width: 480 });

test('an uploaded picture is stored, analysed and readable at its signed URL, byte for byte', async () => {
  const client = await darkroom.client();
  const bytes = await car();
  const images = await client.uploadAndAnalyze([{ name: 'red-car.jpg', bytes }]);
  const { image } = await client.get(
    `query ($id: ID!) { image(id: $id) { filename format width height byteSize contentType url { url expiresAt } placeholder { dataUri dominantColor }
      analysis { provider caption { text confidence } tags { name confidence source } colors { dominant palette { hex share } } quality { score } unavailable { feature reason } } } }`,
    { id: images.get('red-car.jpg') },
  );
  expect(image).toMatchObject({ filename: 'red-car.jpg', format: 'JPEG', width: 480, byteSize: bytes.length, contentType: 'image/jpeg' });
  expect(image.placeholder.dataUri).toMatch(/^data:image\/png;base64,/);
  expect(image.analysis.provider).toBe('local');
  expect(image.analysis.tags.length).toBeGreaterThan(0);
  expect(image.analysis.unavailable.map((gap: { feature: string }) => gap.feature)).toEqual(expect.arrayContaining(['objects', 'faces', 'text']));
  const shares = image.analysis.colors.palette.reduce((sum: number, color: { share: number }) => sum + color.share, 0);
  expect(shares).toBeCloseTo(1, 1);

  const response = await fetch(image.url.url);
  expect(response.status).toBe(200);
  expect(Buffer.from(await response.arrayBuffer()).equals(bytes)).toBe(true);
  expect(response.headers.get('x-content-type-options')).toBe('nosniff');
  expect((await fetch(image.url.url.replace(/signature=(.)/, (_: string, first: string) => `signature=${first === 'A' ? 'B' : 'A'}`))).status).toBe(403);
});

test('one bad file does not spoil the others, and each refusal names the limit and the actual value', async () => {
  const client = await darkroom.client();
  const { results } = await client.upload([
    { name: 'good.png', bytes: await flat(200, 100).png().toBuffer() },
    { name: 'empty.jpg', bytes: new Uint8Array() },
    { name: 'drawing.svg', bytes: Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>') },
    { name: 'tiny.png', bytes: await flat(40, 30).png().toBuffer() },
    { name: 'big.bin', bytes: Buffer.alloc(3_150_000, 1) },
  ]);
  expect(results.map((result: { code?: string }) => result.code ?? 'STORED')).toEqual(['STORED', 'EMPTY', 'UNSUPPORTED_TYPE', 'TOO_SMALL', 'TOO_LARGE']);
  expect(results.slice(1).map((result: { message: string }) => result.message)).toEqual([
    expect.stringContaining('0 bytes'),
    'Unsupported image format: SVG',
    'Image dimensions (40×30) are below minimum (50×50)',
    'File size (3.2 MB) exceeds maximum (2 MB)',
  ]);
});

test('more files than allowed are refused as a whole, with both numbers', async () => {
  const client = await darkroom.client();
  const bytes = await flat(60, 60).png().toBuffer();
  const { errors } = await client.send('mutation ($files: [File!]!) { uploadImages(files: $files) { results { __typename } } }', Array.from({ length: 6 }, (_, index) => ({ name: `${index}.png`, bytes })));
  expect(errors?.[0]?.extensions.code).toBe('TOO_MANY_FILES');
  expect(errors?.[0]?.message).toMatch(/5.*6/);
});

test('the same bytes are one image for a viewer, and another one for another viewer', async () => {
  const [alice, bob] = [await darkroom.client(), await darkroom.client()];
  const bytes = await car();
  const first = await alice.uploadAndAnalyze([{ name: 'a.jpg', bytes }]);
  const again = (await alice.upload([{ name: 'b.jpg', bytes }])).results[0];
  expect(again).toMatchObject({ alreadyStored: true, image: { id: first.get('a.jpg') }, jobs: [{ status: 'COMPLETED', cacheHit: true }] });
  const other = (await bob.upload([{ name: 'a.jpg', bytes }])).results[0];
  expect(other.alreadyStored).toBe(false);
  expect(other.image.id).not.toBe(first.get('a.jpg'));
});

test('the same bytes twice in one request are one image', async () => {
  const client = await darkroom.client();
  const bytes = await flat(90, 60, '#884422').png().toBuffer();
  const { results } = await client.upload([{ name: 'a.png', bytes }, { name: 'b.png', bytes }]);
  expect(results[0].image.id).toBe(results[1].image.id);
});

test.each(['jpeg', 'png'] as const)('a %s that lies on its side by EXIF is upright in every fact, and its position is kept only on request', async (format) => {
  const client = await darkroom.client();
  const exif = { IFD0: { Model: 'Box Brownie' }, IFD3: { GPSLatitude: '52/1 30/1 0/1', GPSLatitudeRef: 'N', GPSLongitude: '13/1 24/1 0/1', GPSLongitudeRef: 'E' } };
  const bytes = await flat(640, 480).withExif(exif).withMetadata({ orientation: 6 })[format]().toBuffer();
  const query = 'query ($id: ID!) { image(id: $id) { width height orientation exif { camera orientation gps { latitude longitude } } } }';
  const images = await client.uploadAndAnalyze([{ name: 'side.jpg', bytes }]);
  const { image } = await client.get(query, { id: images.get('side.jpg') });
  expect(image).toMatchObject({ width: 480, height: 640, orientation: 'PORTRAIT', exif: { camera: 'Box Brownie', orientation: 6, gps: null } });

  const other = await darkroom.client();
  const kept = await other.uploadAndAnalyze([{ name: 'side.jpg', bytes }], { keepLocation: true });
  const located = await other.get(query, { id: kept.get('side.jpg') });
  expect(located.image.exif.gps.latitude).toBeCloseTo(52.5, 3);
});

test('words that the viewer changes are found at once', async () => {
  const client = await darkroom.client();
  const images = await client.uploadAndAnalyze([{ name: 'x.png', bytes: await flat(120, 80).png().toBuffer() }], { tags: ['Holiday '] });
  const id = images.get('x.png');
  const search = 'query ($q: String) { searchImages(query: $q) { totalCount edges { node { id title userTags } matchedBy } } }';
  expect((await client.get(search, { q: 'holidays' })).searchImages).toMatchObject({ totalCount: 1, edges: [{ node: { userTags: ['holiday'] }, matchedBy: ['TAG'] }] });
  await client.get('mutation ($id: ID!) { updateImage(id: $id, input: { title: "Lighthouse at dusk", tags: ["coast"] }) { title userTags } }', { id });
  expect((await client.get(search, { q: 'lighthouses' })).searchImages.edges).toMatchObject([{ node: { id, userTags: ['coast'] }, matchedBy: ['TITLE'] }]);
  expect((await client.get(search, { q: 'holiday' })).searchImages.totalCount).toBe(0);
  // Tags alone, and nothing at all, are changes as well.
  expect((await client.get('mutation ($id: ID!) { updateImage(id: $id, input: { tags: ["sea"] }) { title userTags } }', { id })).updateImage).toEqual({ title: 'Lighthouse at dusk', userTags: ['sea'] });
  expect((await client.get('mutation ($id: ID!) { updateImage(id: $id, input: {}) { title userTags } }', { id })).updateImage).toEqual({ title: 'Lighthouse at dusk', userTags: ['sea'] });
});

test('a tab of GraphiQL that needs something first says what, when it is played as it is', async () => {
  const client = await darkroom.client();
  const play = async ({ query, variables }: Example) => (await client.ask(query, variables)).errors![0]!;
  expect(await play(uploadExample)).toMatchObject({ message: expect.stringContaining('at least one file'), extensions: { code: 'INVALID_INPUT', hint: expect.stringContaining('in GraphiQL choose them in the bar') } });
  for (const example of [similarExample, cutOutExample]) {
    expect(await play(example)).toMatchObject({ message: 'There is no image with this id', extensions: { code: 'NOT_FOUND', hint: expect.stringContaining('{ images { nodes { id } } }') } });
  }
});

test('a deleted image is gone with its bytes, its words and its jobs\' inputs', async () => {
  const client = await darkroom.client();
  const images = await client.uploadAndAnalyze([{ name: 'gone.png', bytes: await flat(100, 100).png().toBuffer() }]);
  const id = images.get('gone.png');
  const { image } = await client.get('query ($id: ID!) { image(id: $id) { url { url } } }', { id });
  const { deleteImages } = await client.get('mutation ($ids: [ID!]!) { deleteImages(ids: $ids) { deletedIds missing } }', { ids: [id] });
  expect(deleteImages).toEqual({ deletedIds: [id], missing: 0 });
  expect((await client.get('query ($id: ID!) { image(id: $id) { id } }', { id })).image).toBeNull();
  expect((await fetch(image.url.url)).status).toBe(404);
  expect((await client.get('{ images { totalCount } jobs { nodes { status inputs { id } } } }'))).toEqual({ images: { totalCount: 0 }, jobs: { nodes: [{ status: 'COMPLETED', inputs: [] }] } });
});

test('a file is a file: a string in its place is refused with what to do', async () => {
  const client = await darkroom.client();
  const { errors } = await client.ask('mutation { uploadImages(files: ["hello"]) { results { __typename } } }');
  expect(errors?.[0]?.message).toMatch(/multipart/);
  expect(errors?.[0]?.extensions.code).toBe('INVALID_INPUT');
});
