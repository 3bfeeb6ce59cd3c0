import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { showChain } from './tour/chain.ts';
import { createDemoClient } from './tour/client.ts';
import { startDarkroomProcesses } from './tour/darkroom.ts';
import { drawPictures, picturesOf, samplesToCutOut } from './tour/pictures.ts';
import { createScreen } from './tour/screen.ts';
import { showGenerated, showQueries } from './tour/shows.ts';
import { count, uploadAndWatch } from './tour/upload.ts';

const usage = `bin/demo [FOLDER] [--keep] [--redis] [--postgres]

Shows Darkroom at work: starts it, uploads the pictures of FOLDER (or ones it draws itself), shows the progress of their
analysis, searches them, cuts a few out and makes 3D models of them, and stops it again. A sheet with the cut-outs and models
stays in .cache/demo, to look at. Nothing is installed outside of this folder.

  --keep       leave it running until Ctrl-C, to look around in GraphiQL; its data stays afterwards
  --redis      queue and events through a Redis of its own (REDIS_URL in the environment: through that one)
  --postgres   API and worker apart, on a Postgres of their own (DATABASE_URL in the environment: a new database there)`;

const root = fileURLToPath(new URL('..', import.meta.url));
const screen = createScreen(process.stdout, process.env);
const ends: (() => Promise<unknown>)[] = [];
let isKept = false;

/** Rejects when somebody wants it to end: Ctrl-C, a closed terminal, a reader that has gone. */
const interrupted = new Promise<never>((_, reject) => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      // Who asks twice wants it at once; what runs is killed with this process.
      if (process.exitCode !== undefined) process.exit();
      process.exitCode = isKept ? 0 : signal === 'SIGINT' ? 130 : 143;
      reject(new Error('Interrupted'));
    });
  }
  process.stdout.on('error', () => {
    process.exitCode ??= 1;
    reject(new Error('Interrupted'));
  });
});

try {
  await Promise.race([giveTour(), interrupted]);
  process.exitCode ??= 0;
} catch (error) {
  if (process.exitCode === undefined) {
    process.exitCode = 1;
    console.error(`\n${screen.paint.red(error instanceof Error ? error.message : String(error))}`);
  }
}
for (let end = ends.pop(); end; end = ends.pop()) await end().catch((error: unknown) => console.error(error instanceof Error ? error.message : error));
process.exit();

async function giveTour(): Promise<void> {
  const { values, positionals: [given, ...more] } = parseArgs({
    allowPositionals: true,
    options: { keep: { type: 'boolean', default: false }, redis: { type: 'boolean', default: false }, postgres: { type: 'boolean', default: false }, help: { type: 'boolean', short: 'h' } },
  });
  if (values.help) return screen.line(usage);
  if (more.length > 0) throw new Error(`Expected one folder but received ${more.length + 1}`);
  const folder = await demoFolder(values.keep);
  const chosen = given === undefined ? undefined : await picturesOf(resolve(process.env['INIT_CWD'] ?? '.', given));
  if (!chosen) screen.line('Drawing sample pictures …');

  const [darkroom, { pictures, left }] = await Promise.all([
    startDarkroomProcesses(screen, { ...values, folder, environment: process.env, atEnd: (end) => void ends.push(end) }),
    chosen ?? drawPictures(join(folder, 'samples')).then((pictures) => ({ pictures, left: 0 })),
  ]);
  screen.line(`${screen.paint.bold('Darkroom runs:')} ${darkroom.description}`);
  if (left > 0) screen.line(`Taking the first ${count(pictures.length, 'picture')}; ${left} more are left out.`);

  const client = createDemoClient(darkroom.url, darkroom.token);
  const show = async () => {
    const { analyzed, failed } = await uploadAndWatch(screen, client, pictures);
    if (analyzed === 0) throw new Error('Expected at least one picture to be analysed but none was');
    await showQueries(screen, client, given === undefined ? 'red car' : undefined);
    await showChain(screen, client, join(root, '.cache/demo'), given === undefined ? samplesToCutOut : undefined);
    await showGenerated(screen, client);
    if (failed > 0) throw new Error(`Expected every stored picture to be analysed but ${failed} failed`);
  };
  await Promise.race([show(), darkroom.ended]);

  const graphiql = `${darkroom.url.replace('127.0.0.1', 'localhost')}/graphql`;
  if (!values.keep) return screen.line(`\nThat was all: the server stops now. With --keep it stays, and GraphiQL is at ${graphiql}`);
  const kept = relative(process.env['INIT_CWD'] ?? '.', folder);
  const facts = { GraphiQL: graphiql, Token: darkroom.token, Files: `${kept} (data and logs; they stay)`, Later: `JWT_SECRET=${darkroom.secret} DATA_DIR=${kept}/data npm start` };
  screen.line();
  for (const [name, fact] of Object.entries(facts)) screen.line(`${screen.paint.bold(name.padEnd(8))}  ${fact}`);
  screen.line('\nIt runs until you press Ctrl-C.');
  isKept = true;
  await darkroom.ended;
}

/** A new folder for data, logs and samples, removed at the end unless it is to be kept. */
async function demoFolder(keep: boolean): Promise<string> {
  await mkdir(join(root, '.cache/demo'), { recursive: true });
  const folder = await mkdtemp(join(root, '.cache/demo/'));
  if (!keep) ends.push(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
