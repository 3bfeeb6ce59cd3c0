import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { readConfig } from '../../src/config.ts';
import { openDatabase } from '../../src/database/open.ts';
import { createLog } from '../../src/log.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** What differs between the ways to run Darkroom. */
    settings: Record<string, string>;
    /** A migrated database folder to copy: a new one costs seconds. */
    template: string | null;
    /** A Postgres server in which every app gets a database of its own. */
    postgresUrl: string | null;
  }
}

/** PGlite, disk, queue and events inside the process: nothing is running but Darkroom. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { template, remove } = await createTemplate();
  // Whatever can be compiled is, in this project alone: what the suites ask is asked both ways.
  project.provide('settings', { GRAPHQL_COMPILE_AFTER: '1' });
  project.provide('template', template);
  project.provide('postgresUrl', null);
  return remove;
}

export async function createTemplate(): Promise<{ template: string; remove: () => Promise<void> }> {
  const template = await mkdtemp(join(tmpdir(), 'darkroom-template-'));
  const database = await openDatabase(readConfig({ DATA_DIR: template }), createLog('warn'));
  await database.close();
  return { template, remove: () => rm(template, { recursive: true, force: true }) };
}

export const copyTemplate = (template: string, dataDir: string) => cp(join(template, 'pglite'), join(dataDir, 'pglite'), { recursive: true });
