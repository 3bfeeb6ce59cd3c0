import { writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fromBufferPromise } from 'yauzl';
import type { Client } from './client.ts';
import type { Screen } from './screen.ts';
import { cellSide, drawContactSheet, type SheetColumn } from './sheet.ts';
import { count } from './upload.ts';

interface Shown {
  rendition: { url: string };
}
interface Source extends Shown {
  id: string;
  filename: string;
}
interface EndedJob {
  id: string;
  failure: { code: string; message: string } | null;
  archiveUrl: { url: string } | null;
  result: { coverage?: number; confidence?: number; cutout?: (Shown & { id: string }) | null; models?: Outcome[] } | null;
}
interface Outcome {
  message?: string;
  model?: { shape: string; faceCount: number; byteSize: number; thumbnail: Shown | null };
}
interface CutOut {
  source: Source;
  job: EndedJob;
}

// As sharp as on a good screen: the sheet makes them smaller.
const rendition = `rendition(width: ${2 * cellSide}, height: ${2 * cellSide}, format: PNG) { url }`;
const sourcesQuery = `{ images(first: 100) { nodes { id filename ${rendition} } } }`;
const cutOutMutation = 'mutation ($ids: [ID!]!, $input: RemoveBackgroundInput) { removeBackgrounds(imageIds: $ids, input: $input) { jobs { id } } }';
const modelMutation = 'mutation ($ids: [ID!]!) { createModel3d(imageIds: $ids, options: { provider: "local" }) { id } }';
const endQuery = 'subscription ($ids: [ID!]!) { jobEvents(jobIds: $ids) { seq } }';
const jobsQuery = `query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Job { id failure { code message } archiveUrl { url } result {
  ... on RemoveBackgroundResult { coverage confidence cutout { id ${rendition} } }
  ... on Model3DResult { models { ... on FailedModel3D { message } ... on CreatedModel3D { model { shape faceCount byteSize thumbnail { ${rendition} } } } } } } } } }`;

const maxTried = 4;
const maxShown = 3;
const columns: SheetColumn[] = [{ title: 'Original', ground: 'light' }, { title: 'Cut-out', ground: 'chequered' }, { title: 'On white', ground: 'white' }, { title: '3D model', ground: 'gray' }];

/** Takes a few pictures through everything: cut out, on white, 3D model, zip. Leaves a sheet to look at, and the zip, in `folder`. `names` are taken before others. */
export async function showChain(screen: Screen, client: Client, folder: string, names: string[] = []): Promise<void> {
  const startedAt = performance.now();
  const { images: { nodes } } = await client.ask<{ images: { nodes: Source[] } }>(sourcesQuery);
  const tried = pick(nodes.filter(({ filename }) => names.length === 0 || names.includes(filename)), maxTried);
  const chosen = tried.length > maxShown ? `the ${maxShown} surest of ${tried.length} are shown` : count(tried.length, 'picture');
  screen.title('A picture through everything', `cut out, put on white, made a 3D model, fetched as a zip; ${chosen}`);

  const cutOuts = await cutOut(client, tried);
  // Those with a subject first, the surest of them first of all.
  const shown = cutOuts.toSorted((one, other) => (other.job.result?.confidence ?? -1) - (one.job.result?.confidence ?? -1)).slice(0, maxShown);
  const subjects = shown.filter(({ job }) => job.result);
  const [onWhite, models] = await Promise.all([
    cutOut(client, subjects.map(({ source }) => source), { backgroundColor: '#ffffff', aspectRatio: '1:1', padding: 0.1, shadow: true }),
    // Without a subject, the whole picture becomes a relief.
    client.ask<{ createModel3d: { id: string } }>(modelMutation, { ids: shown.map(({ source, job }) => job.result?.cutout?.id ?? source.id) }).then(({ createModel3d }) => untilEnded(client, [createModel3d.id])),
  ]);
  const outcomes = models[0]?.result?.models ?? [];

  screen.table(['FILE', 'SUBJECT', '3D MODEL'], shown.map(({ source, job }, index) => [source.filename, subjectOf(job), modelOf(outcomes[index])]));
  const rows = await Promise.all(shown.map(async ({ source, job }, index) => {
    const white = onWhite.find((one) => one.source === source)?.job;
    const nothing = (job.failure?.code ?? 'none').replaceAll('_', ' ');
    const pictures = [source, job.result?.cutout, white?.result?.cutout, outcomes[index]?.model?.thumbnail];
    return { caption: `${source.filename}   ${subjectOf(job)}`, cells: await Promise.all(pictures.map(async (picture) => (picture ? fetched(picture.rendition.url) : nothing))) };
  }));
  const sheet = join(folder, 'contact-sheet.png');
  await writeFile(sheet, await drawContactSheet(columns, rows));
  screen.line(`  ${((performance.now() - startedAt) / 1000).toFixed(1)} s. All of it on one sheet: ${fromHere(sheet)}`);

  const { archiveUrl } = models[0] ?? {};
  if (!archiveUrl) return;
  const bytes = await fetched(archiveUrl.url);
  const zip = join(folder, 'models.zip');
  await writeFile(zip, bytes);
  screen.line(`  The models and their pictures as one zip: ${fromHere(zip)} (${count((await fromBufferPromise(bytes)).entryCount, 'file')}, ${(bytes.length / 1e6).toFixed(1)} MB)`);
}

async function cutOut(client: Client, sources: Source[], input: object = {}): Promise<CutOut[]> {
  if (sources.length === 0) return [];
  const { removeBackgrounds: { jobs } } = await client.ask<{ removeBackgrounds: { jobs: { id: string }[] } }>(cutOutMutation, { ids: sources.map(({ id }) => id), input });
  return (await untilEnded(client, jobs.map(({ id }) => id))).map((job, index) => ({ job, source: sources[index]! }));
}

async function untilEnded(client: Client, ids: string[]): Promise<EndedJob[]> {
  for await (const _event of client.watch(endQuery, { ids }));
  return (await client.ask<{ nodes: EndedJob[] }>(jobsQuery, { ids })).nodes;
}

async function fetched(url: string): Promise<Buffer> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`Expected a file from ${new URL(url).pathname} but the server answered ${response.status}`);
  return Buffer.from(await response.arrayBuffer());
}

const percent = (share: number) => `${Math.round(share * 100)} %`;
const subjectOf = ({ result, failure }: EndedJob) => (result ? `${percent(result.coverage ?? 0)} of the picture, ${percent(result.confidence ?? 0)} sure` : failure?.code === 'NO_SUBJECT' ? 'no subject found' : (failure?.message ?? 'cancelled'));
const modelOf = (outcome?: Outcome) => (outcome?.model ? `${outcome.model.shape === 'INFLATED' ? 'a body' : 'a relief'} of ${outcome.model.faceCount} triangles, ${(outcome.model.byteSize / 1e6).toFixed(1)} MB` : (outcome?.message ?? 'none'));

/** So many of them at the most, spread evenly. */
const pick = <Item>(items: Item[], most: number): Item[] => (items.length <= most ? items : Array.from({ length: most }, (_, index) => items[Math.floor((index * items.length) / most)]!));

const fromHere = (path: string) => relative(process.env['INIT_CWD'] ?? '.', path);
