import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { addTally, isBroken, ranNothing, tallyOf, type Report, type Tally } from './checks/tally.ts';
import { chromiumPath } from './services/chromium.ts';
import { postgresFolder } from './services/postgres.ts';
import { redisServerPath } from './services/redis.ts';

// bin/test: types, lint, every vitest project, then twenty seconds of fuzzing. What needs a Redis or Postgres that cannot be had is left out, and in CI has failed.
const root = fileURLToPath(new URL('..', import.meta.url));
const mayLeaveOut = process.env['CI'] !== 'true';
const tally: Tally = { passed: 0, failed: 0, skipped: 0 };
const remarks: string[] = [];

const services = [
  { name: 'Redis', find: redisServerPath, projects: ['redis', 'postgres'], mark: 'startRedis(' },
  { name: 'Postgres', find: postgresFolder, projects: ['postgres'], mark: 'startPostgres(' },
];
const projects = new Set(['unit', 'embedded', 'redis', 'postgres']);
const leftOut = new Set<string>();
/** Whether some project ran a test of the file: not every file has something to say about every way to run Darkroom. */
const wasRun = new Map<string, boolean>();

await Promise.all([check('types', 'npm', ['run', '--silent', 'types']), check('lint', 'npm', ['run', '--silent', 'lint'])]);
for (const { name, find, projects: needing, mark } of services) {
  await find().catch((error: Error) => {
    for (const project of needing) if (projects.delete(project)) count(mayLeaveOut ? 'skipped' : 'failed', `the end-to-end tests "${project}": ${error.message}`);
    for (const file of testFiles(mark)) {
      if (leftOut.has(file)) continue;
      leftOut.add(file);
      count(mayLeaveOut ? 'skipped' : 'failed', `${file}, which needs ${name}`);
    }
  });
}
await chromiumPath().catch((error: Error) => count('skipped', `the tests of GraphiQL in a browser: ${error.message}`));
for (const project of projects) await runTests(project);
// The same requests each time, so that a change fails for what it did; other seeds are for `npm run fuzz`.
await check('requests that nobody would send', 'npm', ['run', '--silent', 'fuzz', '--', '--seconds', '20', '--seed', '827612259']);
for (const [file, ran] of wasRun) if (!ran && !mayLeaveOut && /redis|postgres|database|e2e/.test(file)) count('failed', `${file} was skipped by every project`);

for (const remark of remarks) console.log(remark);
console.log(`${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped`);
process.exitCode = tally.failed > 0 ? 1 : 0;

async function check(name: string, command: string, args: string[]): Promise<void> {
  console.log(`Checking ${name} …`);
  const code = await run(command, args);
  count(code === 0 ? 'passed' : 'failed', code === 0 ? undefined : `${name}: see above`);
}

/** One vitest process after another, so that a project that dies takes no other with it. */
async function runTests(project: string): Promise<void> {
  console.log(`\nTesting "${project}" …`);
  const reportFile = join(root, `.cache/test/${project}.json`);
  mkdirSync(dirname(reportFile), { recursive: true });
  rmSync(reportFile, { force: true });
  const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs');
  // A project's own `exclude` hides the one of the command line, so the others are named.
  const files = leftOut.size > 0 && project === 'unit' ? testFiles().filter((file) => !leftOut.has(file)) : [];
  // Unit tests wait for vendors and clocks a quarter of their time, which one worker more fills.
  const workers = project === 'unit' ? 3 : 2;
  const code = await run(process.execPath, [vitest, 'run', `--project=${project}`, `--maxWorkers=${workers}`, '--reporter=default', '--reporter=json', `--outputFile.json=${reportFile}`, ...files]);

  const report = readReport(reportFile);
  if (!report) return count('failed', `${project}: the tests ended without a report`);
  const failedBefore = tally.failed;
  addTally(tally, tallyOf(report));
  for (const file of report.testResults) {
    const name = relative(root, file.name);
    if (isBroken(file)) count('failed', `${project}: ${name} could not be run`);
    wasRun.set(name, wasRun.get(name) || !ranNothing(file));
  }
  if (code !== 0 && tally.failed === failedBefore) count('failed', `${project}: vitest ended with ${code}`);
}

function count(outcome: keyof Tally, remark?: string): void {
  tally[outcome]++;
  if (remark) remarks.push(`${outcome.charAt(0).toUpperCase()}${outcome.slice(1)}: ${remark}`);
}

function readReport(file: string): Report | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Report;
  } catch {
    return undefined;
  }
}

/** The files of the unit tests, or those that contain this text. */
function testFiles(mark = ''): string[] {
  const files = readdirSync(join(root, 'test')).filter((name) => name.endsWith('.test.ts')).map((name) => `test/${name}`);
  return files.filter((file) => readFileSync(join(root, file), 'utf8').includes(mark));
}

/** Gives the exit code. The command has a process group, so that a signal for us ends its workers too. */
function run(command: string, args: string[]): Promise<number | string> {
  const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], detached: true });
  const pass = (signal: NodeJS.Signals) => {
    if (child.pid) process.kill(-child.pid, signal);
    child.once('exit', () => process.exit(1));
  };
  process.on('SIGTERM', pass).on('SIGINT', pass);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      process.off('SIGTERM', pass).off('SIGINT', pass);
      resolve(code ?? signal ?? 'nothing');
    });
  });
}
