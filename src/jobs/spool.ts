import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { App } from '../app.ts';

const spool = ({ DATA_DIR }: Pick<App['config'], 'DATA_DIR'>) => join(DATA_DIR, 'spool', 'jobs');

/** The folder of one attempt: copies of its inputs, gone with its end. */
export const attemptFolder = (config: App['config'], job: { id: string; attempt: number }) => join(spool(config), `${job.id}-${job.attempt}`);

/** Removes what attempts of killed processes left behind. Processes may share the folder: what an attempt still uses stays. */
export async function removeLeftovers({ config, db }: Pick<App, 'config' | 'db'>): Promise<void> {
  const names = await readdir(spool(config)).catch(() => []);
  if (names.length === 0) return;
  const inUse = await db.job.findMany({ where: { status: 'PROCESSING' }, select: { id: true, attempt: true } });
  const kept = new Set(inUse.map(({ id, attempt }) => `${id}-${attempt}`));
  await Promise.all(names.filter((name) => !kept.has(name)).map((name) => rm(join(spool(config), name), { recursive: true, force: true })));
}
