import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Bench, round, type Row } from './figure.ts';
import { forgetPeak, hasProc, memoryOf, startDarkroom } from './machine.ts';
import { upload, untilCompleted } from './client.ts';
import { heavyPictures, picturesToWarmUp } from './pictures.ts';

const files = 25;
const fileBytes = 10_000_000;

/** What one request with everything that is allowed adds to the server's resident memory, at its worst moment. */
export async function figure({ folder, logFile }: Bench): Promise<Row[]> {
  if (!hasProc) return [];
  const paths = await heavyPictures(join(folder, 'heavy'), files, fileBytes);
  const darkroom = await startDarkroom({ DATA_DIR: join(folder, 'data') }, { logFile });
  await untilCompleted(darkroom.url, await upload(darkroom.url, await picturesToWarmUp(join(folder, 'warm-up'))));
  await sleep(1_000);
  forgetPeak(darkroom.pid);
  const before = memoryOf(darkroom.pid).rss;
  const startedAt = performance.now();
  const jobs = await upload(darkroom.url, paths);
  const answered = memoryOf(darkroom.pid).peak;
  const seconds = (performance.now() - startedAt) / 1000;
  await untilCompleted(darkroom.url, jobs);
  const { peak } = memoryOf(darkroom.pid);
  await darkroom.stop();
  const addedMb = (peak - before) / 1e6;
  return [
    {
      what: '25 files of 10 MB in one request', ours: `${round(addedMb, 0)} MB added`, beside: '64 MB', ratio: round(addedMb / 64), bar: 'under 64 MB', holds: addedMb < 64,
      note: `Peak resident memory of the server process (${round(peak / 1e6, 0)} MB) above what it was before, over the request (${round(seconds, 1)} s, ${round((answered - before) / 1e6, 0)} MB) and the analysis of all ${files} pictures; the compute children, which touch the pixels, are other processes with a ceiling of their own.`,
    },
  ];
}
