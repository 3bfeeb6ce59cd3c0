import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { median, round, type Bench, type Row } from './figure.ts';
import { hasProc, memoryOf, startDarkroom } from './machine.ts';

const rounds = 5;

/** From the start of the process to `/health/ready`, on a data folder that exists: embedded, nothing installed. */
export async function figure({ folder, logFile }: Bench): Promise<Row[]> {
  const environment = { DATA_DIR: join(folder, 'data') };
  const options = { logFile, allCpus: true };
  await (await startDarkroom(environment, options)).stop();

  const readyMs: number[] = [];
  const idleMb: number[] = [];
  for (let k = 0; k < rounds; k++) {
    const darkroom = await startDarkroom(environment, options);
    readyMs.push(darkroom.readyMs);
    await sleep(1_000);
    if (hasProc) idleMb.push(memoryOf(darkroom.pid).rss / 1e6);
    await darkroom.stop();
  }
  const seconds = median(readyMs) / 1000;
  return [
    {
      what: 'start to ready, existing data folder', ours: `${round(seconds)} s`, beside: '3 s', ratio: round(seconds / 3), bar: 'under 3 s', holds: seconds < 3,
      note: `One process with PGlite, on all CPUs, until /health/ready says yes; median of ${rounds}, slowest ${round(Math.max(...readyMs) / 1000)} s.`,
    },
    ...(hasProc ? [{ what: 'idle memory', ours: `${round(median(idleMb), 0)} MB`, beside: '', ratio: '', bar: '', holds: null, note: 'Resident memory of that process one second after it was ready; PGlite is in it.' }] : []),
  ];
}
