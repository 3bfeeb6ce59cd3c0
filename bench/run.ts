import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openBench, type Figure, type Row } from './figure.ts';
import { isPinned, keepToLastCpu, load, machine, root } from './machine.ts';

// npm run bench                 all figures; prints the table and writes bench/results.md
// npm run bench -- NAME …       only these, printed and not written
const figures: Record<string, () => Promise<{ figure: Figure }>> = {
  start: () => import('./start.ts'),
  analysis: () => import('./analysis.ts'),
  memory: () => import('./memory.ts'),
  list: () => import('./list.ts'),
  renditions: () => import('./renditions.ts'),
  similar: () => import('./similar.ts'),
  cache: () => import('./cache.ts'),
  jobs: () => import('./jobs.ts'),
  sockets: () => import('./sockets.ts'),
  events: () => import('./events.ts'),
  'cut-out': () => import('./cut-out.ts'),
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in figures));
if (unknown.length > 0) {
  console.error(`Expected figures of ${Object.keys(figures).join(', ')} but received ${unknown.join(', ')}`);
  process.exit(1);
}

if (!existsSync(join(root, 'bench/node_modules'))) {
  console.log('Installing what Darkroom is measured against …');
  execFileSync('npm', ['ci', '--loglevel=error'], { cwd: join(root, 'bench'), stdio: 'inherit' });
}
// Leaving in order ends what was started.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

const startedAt = new Date();
const loadBefore = load();
const rows: Row[] = [];
let failed = 0;
for (const name of wanted.length > 0 ? wanted : Object.keys(figures)) {
  keepToLastCpu();
  const bench = await openBench();
  const from = performance.now();
  try {
    const { figure } = await figures[name]!();
    const found = await figure(bench);
    rows.push(...found);
    for (const row of found) console.log(line(row));
  } catch (error) {
    failed++;
    rows.push({ what: name, ours: 'failed', beside: '', ratio: '', bar: '', holds: false, note: error instanceof Error ? error.message : String(error) });
    console.error(`${name} failed:`, error);
    execFileSync('tail', ['-n', '20', bench.logFile], { stdio: ['ignore', 'inherit', 'ignore'] });
  } finally {
    await bench.close();
  }
  console.log(`  (${name}: ${Math.round((performance.now() - from) / 1000)} s)`);
}

const table = [
  '| figure | Darkroom | beside | ratio | asked | |',
  '|---|---|---|---|---|---|',
  ...rows.map((row) => `| ${[row.what, row.ours, row.beside, row.ratio, row.bar, verdict(row)].join(' | ')} |`),
].join('\n');
console.log(`\n${table}`);
if (wanted.length === 0 && failed === 0) await writeFile(join(root, 'bench/results.md'), page());
process.exit(failed === 0 ? 0 : 1);

function page(): string {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root }).toString().trim();
  const notes = rows.filter((row) => row.note).map((row) => `- **${row.what}**: ${row.note}`);
  return [
    '# Figures',
    '',
    'Written by `npm run bench`. Every figure stands beside a peer or a limit that was measured in the same run, in turn, on the same machine.',
    'Absolute numbers are those of this machine and this hour; ratios are what to compare.',
    '',
    `- ${startedAt.toISOString().slice(0, 16).replace('T', ' ')} UTC, commit ${commit}, ${Math.round((Date.now() - startedAt.getTime()) / 1000)} s`,
    `- ${machine()}`,
    `- load average before ${loadBefore}, after ${load()}`,
    `- ${isPinned ? 'what is measured on the first CPU, load and databases on the last, unless a line says otherwise' : 'no process was held to a CPU'}`,
    '',
    table,
    '',
    '## What was done',
    '',
    ...notes,
    '',
  ].join('\n');
}

function verdict({ holds }: Row): string {
  return holds === null ? '' : holds ? 'yes' : '**no**';
}

function line(row: Row): string {
  return `${row.what}: ${row.ours} | ${row.beside} | ${row.ratio} | asked ${row.bar} | ${verdict(row)}${row.note ? `\n    ${row.note}` : ''}`;
}
