import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isBroken, ranNothing } from '../bin/checks/tally.ts';
import { showChain } from '../bin/tour/chain.ts';
import { createDemoClient } from '../bin/tour/client.ts';
import { inRequests, picturesOf } from '../bin/tour/pictures.ts';
import { createProgress } from '../bin/tour/progress.ts';
import { bestLikeness, tellingColor, tellingWords } from '../bin/tour/questions.ts';
import { createScreen, cut, widthOf } from '../bin/tour/screen.ts';
import { showGenerated, showQueries } from '../bin/tour/shows.ts';
import { uploadAndWatch } from '../bin/tour/upload.ts';
import { drawSample, sampleNames } from '../src/compute/draw.ts';
import { startTestApp } from './app.ts';

let folder: string;
beforeAll(async () => { folder = await mkdtemp(join(tmpdir(), 'darkroom-demo-test-')); });
afterAll(() => rm(folder, { recursive: true, force: true }));

function paper(terminal: { isTTY?: boolean; columns?: number; rows?: number } = {}, environment: Record<string, string> = {}) {
  let text = '';
  return { screen: createScreen({ ...terminal, write: (more) => (text += more) }, environment), read: () => text };
}

test('the tour shows every step on the real app, as plain text where there is no terminal', async () => {
  const darkroom = await startTestApp();
  try {
    for (const name of sampleNames.filter((name) => /red-car|tulip|sunset/.test(name))) await writeFile(join(folder, name), await drawSample(name, { width: 400 }));
    await sharp({ create: { width: 300, height: 200, channels: 3, background: '#3a6ea5' } }).png().toFile(join(folder, 'plain.png'));
    const { pictures } = await picturesOf(folder);
    const { screen, read } = paper();
    const client = createDemoClient(darkroom.url, await darkroom.token('demo'));
    expect(await uploadAndWatch(screen, client, pictures)).toEqual({ analyzed: 6, failed: 0 });
    await showQueries(screen, client);
    await showChain(screen, client, folder, ['plain.png', 'red-car.jpg']);
    await showGenerated(screen, client);
    for (const step of [/\[6\/6\] ✓ /, /6 pictures stored and analysed/, /Search for “/, /Pictures with the/, /Pictures like/, /2 +red-car\S+ red-car/, /drawing\.svg +UNSUPPORTED_TYPE/, /red-car\.jpg +\d+ % of the picture, \d+ % sure +a body of \d+ triangles.*\n +plain\.png +no subject found +a relief of/, /models\.zip \(4 files/, /two-oranges\S+ +\d\.\d\d/]) expect(read()).toMatch(step);
    // eslint-disable-next-line no-control-regex -- what must not be there
    expect(read()).not.toMatch(/[\0-\x09\x0b-\x1f\x7f]/);
    // Four columns and two rows of pictures 300 px wide and high.
    const sheet = sharp(join(folder, 'contact-sheet.png'));
    expect(await sheet.metadata()).toMatchObject({ format: 'png', width: 1328, height: 816, hasAlpha: false });
    const lookOf = async (left: number, top: number) => (await sheet.clone().extract({ left, top, width: 300, height: 300 }).stats()).channels.map(({ stdev }) => Math.round(stdev));
    // The car stands out on white; where a picture has no subject are words, thin and gray.
    expect(Math.max(...(await lookOf(672, 72)))).toBeGreaterThan(15);
    expect(Math.max(...(await lookOf(672, 424)))).toBeGreaterThan(0);
    await rm(join(folder, 'contact-sheet.png'));
    await rm(join(folder, 'plain.png'));
  } finally {
    await darkroom.stop();
  }
}, 120_000);

test('a folder without pictures is refused in a sentence, with exit code 1, before anything is started', async () => {
  await writeFile(join(folder, 'notes.txt'), 'no picture');
  const inner = await mkdtemp(join(folder, 'empty-'));
  const demo = promisify(execFile)(process.execPath, ['--import', 'tsx', 'bin/tour.ts', inner]);
  await expect(demo).rejects.toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining(`in ${inner} but found none`) as string });
  await expect(picturesOf(join(inner, 'missing'))).rejects.toThrow(/missing cannot be read/);
});

test('no request has more files or bytes than allowed, and no picture is lost', () => {
  const pictures = Array.from({ length: 60 }, (_, index) => ({ name: `${index}.jpg`, path: '', byteSize: 10 }));
  expect(inRequests(pictures, 25).map(({ length }) => length)).toEqual([25, 25, 10]);
  expect(inRequests(pictures, 25, 95).every(({ length }) => length <= 9)).toBe(true);
  expect(inRequests(pictures, 25, 5).flat()).toEqual(pictures);
});

test('on a terminal the bars are redrawn in place and never move up past its top', () => {
  const { screen, read } = paper({ isTTY: true, columns: 60, rows: 10 });
  const progress = createProgress(screen, Array.from({ length: 30 }, (_, index) => `picture-${index}.jpg`));
  for (let index = 0; index < 30; index++) progress.show(index, { percent: 100, outcome: 'done', note: 'a note that is far too long for a terminal of sixty columns' });
  progress.end();
  // eslint-disable-next-line no-control-regex -- the moves upwards
  for (const [, lines] of read().matchAll(/\x1b\[(\d+)A/g)) expect(Number(lines)).toBeLessThan(10);
  const lines = read().split('\n');
  expect(lines.filter((line) => line.includes('picture-29.jpg'))).toHaveLength(1);
  for (const line of lines) expect(widthOf(line)).toBeLessThan(60);
});

test('NO_COLOR takes the colours away, and a name from outside cannot move the cursor', () => {
  const { screen, read } = paper({ isTTY: true, columns: 80 }, { NO_COLOR: '1' });
  screen.title('Title', 'aside');
  screen.table(['FILE'], [['evil\x1b[2Jname.jpg']]);
  expect(read()).toBe('\nTitle  aside\n  FILE\n  evil\ufffd[2Jname.jpg\n');
  expect(cut('日本語の写真.jpg', 7)).toBe('日本語…');
});

test('the word that is searched picks out a few pictures, not one and not all', () => {
  const names = ['bsds-1.jpg', 'bsds-2.jpg', 'bsds-3.jpg', 'bsds-4.jpg', 'motor_left.png', 'motor_right.png', 'IMG_0001.jpg'];
  expect(tellingWords(names, [{ value: 'landscape', count: 7 }])[0]).toEqual({ value: 'motor', count: 2 });
  expect(tellingWords(['1.jpg', '2.jpg', '3.jpg', '4.jpg', '5.jpg', '6.jpg'], [{ value: 'landscape', count: 2 }, { value: 'blurry', count: 2 }])[0]!.value).toBe('blurry');
});

test('the colour is a vivid one that not all have, the likeness no copy', () => {
  const paint = (filename: string, name: string, share: number) => ({ filename, palette: [{ hex: '#123456', name, share }] });
  expect(tellingColor([paint('a', 'red', 0.2), paint('b', 'red', 0.6), paint('c', 'gray', 1)], [{ value: 'gray', count: 1 }, { value: 'red', count: 2 }])).toMatchObject({ name: 'red', filename: 'b' });
  const copied = { neighbours: [{ match: 'NEAR_DUPLICATE' as const, score: 0.99 }] };
  const alike = { neighbours: [{ match: 'RELATED' as const, score: 0.4 }] };
  expect(bestLikeness([copied, alike])).toBe(alike);
  expect(bestLikeness([{ neighbours: [] }])).toBeUndefined();
});

test('a file that failed without a failed test is counted, and one whose tests were all skipped is known', () => {
  const file = (status: string, ...statuses: string[]) => ({ name: 'x', status, assertionResults: statuses.map((status) => ({ status })) });
  expect([file('failed'), file('failed', 'passed', 'skipped'), file('failed', 'failed'), file('passed', 'passed')].map(isBroken)).toEqual([true, true, false, false]);
  expect([file('passed', 'skipped', 'pending'), file('passed', 'skipped', 'passed')].map(ranNothing)).toEqual([true, false]);
});
