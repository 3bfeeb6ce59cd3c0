import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { App } from '../app.ts';
import { getOperation, makesFiles } from '../operations/index.ts';
import type { ClaimedJob } from './transitions.ts';

const spool = ({ DATA_DIR }: Pick<App['config'], 'DATA_DIR'>) => join(DATA_DIR, 'spool', 'jobs');

const folderOf = (config: App['config'], job: ClaimedJob) => join(spool(config), `${job.id}-${job.attempt}`);
const hasFiles = ({ storage }: Pick<App, 'storage'>, job: ClaimedJob) => (job.inputs.length > 0 && !storage.pathOf) || makesFiles(getOperation(job.operation));

/** The folder of one attempt: its outputs, and copies of its inputs unless these are files of this machine. Work that has neither has none. */
export async function openFolder(app: Pick<App, 'config' | 'storage'>, job: ClaimedJob): Promise<string> {
  const folder = folderOf(app.config, job);
  if (hasFiles(app, job)) await mkdir(folder, { recursive: true });
  return folder;
}

export async function closeFolder(app: Pick<App, 'config' | 'storage'>, job: ClaimedJob): Promise<void> {
  if (hasFiles(app, job)) await rm(folderOf(app.config, job), { recursive: true, force: true });
}

/** Where an input can be read: nobody may write there. */
export async function inputFile({ storage }: Pick<App, 'storage'>, key: string, copy: string): Promise<string> {
  if (storage.pathOf) return storage.pathOf(key);
  await storage.download(key, copy);
  return copy;
}

/** Removes what attempts of killed processes left behind. Processes may share the folder: what an attempt still uses stays. */
export async function removeLeftovers({ config, db }: Pick<App, 'config' | 'db'>): Promise<void> {
  const names = await readdir(spool(config)).catch(() => []);
  if (names.length === 0) return;
  const inUse = await db.job.findMany({ where: { status: 'PROCESSING' }, select: { id: true, attempt: true } });
  const kept = new Set(inUse.map(({ id, attempt }) => `${id}-${attempt}`));
  await Promise.all(names.filter((name) => !kept.has(name)).map((name) => rm(join(spool(config), name), { recursive: true, force: true })));
}
