import { setTimeout as sleep } from 'node:timers/promises';
import type { App } from '../app.ts';

const batchSize = 500;
/** Until then a client that comes late hears that its upload has expired, or what became of it. */
const rememberedMs = 7 * 24 * 3_600_000;

/** `uploads/<id>`, or a piece of it. */
const uploadIdOf = (key: string) => /^uploads\/([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})(\/|$)/.exec(key)?.[1];

/**
 * Removes objects without a row: what a crash between bytes and row, or between row and bytes, left behind, and what came for an upload
 * that is no longer open. Rows of uploads go a week after they have expired. `older` are the keys
 * that already had no row at an earlier sweep; only those go, so an upload in progress is never touched. Gives back the others.
 */
export async function sweep({ db, storage, log }: Pick<App, 'db' | 'storage' | 'log'>, older: ReadonlySet<string>): Promise<Set<string>> {
  async function isAsset(keys: string[]) {
    const assets = await db.asset.findMany({ where: { storageKey: { in: keys } }, select: { storageKey: true } });
    const known = new Set(assets.map((asset) => asset.storageKey));
    return (key: string) => known.has(key);
  }
  async function isOpenUpload(keys: string[]) {
    const ids = keys.map(uploadIdOf).filter((id) => id !== undefined);
    const uploads = await db.upload.findMany({ where: { id: { in: ids }, status: 'OPEN', expiresAt: { gt: new Date() } }, select: { id: true } });
    const known = new Set(uploads.map(({ id }) => id));
    return (key: string) => known.has(uploadIdOf(key) ?? '');
  }

  const orphans = new Set<string>();
  let batch: string[] = [];
  const check = async (isKnown: (keys: string[]) => Promise<(key: string) => boolean>) => {
    const known = await isKnown(batch);
    for (const key of batch) if (!known(key)) orphans.add(key);
    batch = [];
  };
  const owners = { 'originals/': isAsset, 'processed/': isAsset, 'uploads/': isOpenUpload };
  for (const [prefix, isKnown] of Object.entries(owners)) {
    for await (const key of storage.list(prefix)) {
      batch.push(key);
      if (batch.length >= batchSize) await check(isKnown);
    }
    await check(isKnown);
  }
  const gone = [...orphans].filter((key) => older.has(key));
  if (gone.length > 0) {
    await storage.delete(gone);
    log.info({ objects: gone.length }, 'Swept objects that no asset or upload refers to');
  }
  await db.upload.deleteMany({ where: { expiresAt: { lt: new Date(Date.now() - rememberedMs) } } });
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
