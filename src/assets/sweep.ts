import { setTimeout as sleep } from 'node:timers/promises';
import type { App } from '../app.ts';

const batchSize = 500;

/**
 * Removes objects without a row: what a crash between bytes and row, or between row and bytes, left behind. `older` are the keys
 * that already had no row at an earlier sweep; only those go, so an upload in progress is never touched. Gives back the others.
 */
export async function sweep({ db, storage, log }: Pick<App, 'db' | 'storage' | 'log'>, older: ReadonlySet<string>): Promise<Set<string>> {
  const orphans = new Set<string>();
  let batch: string[] = [];
  const check = async () => {
    const known = await db.asset.findMany({ where: { storageKey: { in: batch } }, select: { storageKey: true } });
    const keys = new Set(known.map((asset) => asset.storageKey));
    for (const key of batch) if (!keys.has(key)) orphans.add(key);
    batch = [];
  };
  for (const prefix of ['originals/', 'processed/']) {
    for await (const key of storage.list(prefix)) {
      batch.push(key);
      if (batch.length >= batchSize) await check();
    }
  }
  await check();
  const gone = [...orphans].filter((key) => older.has(key));
  if (gone.length > 0) {
    await storage.delete(gone);
    log.info({ objects: gone.length }, 'Swept objects that no asset refers to');
  }
  return new Set([...orphans].filter((key) => !older.has(key)));
}

/** Sweeps every `intervalMs`; an orphan goes at the second sweep that sees it. */
export function startSweeper(app: Pick<App, 'db' | 'storage' | 'log'>, intervalMs = 6 * 3_600_000): { stop(): void } {
  const stopping = new AbortController();
  void (async () => {
    let orphans: ReadonlySet<string> = new Set();
    while (!stopping.signal.aborted) {
      await sleep(intervalMs, undefined, { signal: stopping.signal, ref: false }).catch(() => undefined);
      if (stopping.signal.aborted) return;
      orphans = await sweep(app, orphans).catch((error: unknown) => {
        app.log.error({ err: error }, 'Sweeping failed; the next sweep tries again');
        return orphans;
      });
    }
  })();
  return { stop: () => stopping.abort() };
}
