import type { App } from '../app.ts';
import type { Visibility } from '../database/generated/client.ts';

/** Rung when assets were deleted, or made public or private: whoever remembers rows forgets them. */
export const assetsChanged = 'assets-changed';

/** Only where a ring was lost, or a row changed without us, is what was true before believed for so long. */
const believedMs = 5_000;
const maxRemembered = 10_000;

export interface LivingAsset {
  storageKey: string;
  filename: string;
  contentType: string;
  byteSize: number;
  hasAlpha: boolean;
  visibility: Visibility;
}

export interface LivingAssets {
  find(id: string): Promise<LivingAsset | null>;
  close(): Promise<void>;
}

/** Finds assets by their ids for those whose right was proved otherwise; a page that shows one picture often asks the database once. */
export async function openLivingAssets({ db, events }: Pick<App, 'db' | 'events'>): Promise<LivingAssets> {
  const remembered = new Map<string, { askedAtMs: number; asset: Promise<LivingAsset | null> }>();
  // A lookup that is under way when the ring comes is dropped as well, since its promise is what is remembered.
  const forget = () => remembered.clear();
  const unsubscribe = await events.subscribe(assetsChanged, forget);
  const removeResync = events.onResync(forget);

  async function lookUp(id: string): Promise<LivingAsset | null> {
    const row = await db.asset.findUnique({ where: { id }, select: { storageKey: true, filename: true, contentType: true, byteSize: true, hasAlpha: true, visibility: true } });
    return row && { ...row, hasAlpha: row.hasAlpha ?? false };
  }

  return {
    async find(id) {
      const known = remembered.get(id);
      if (known && Date.now() - known.askedAtMs < believedMs) return known.asset;
      if (remembered.size >= maxRemembered) remembered.clear();
      const asked = { askedAtMs: Date.now(), asset: lookUp(id) };
      remembered.set(id, asked);
      // What could not be asked is asked again.
      asked.asset.catch(() => remembered.get(id) === asked && remembered.delete(id));
      return asked.asset;
    },
    async close() {
      removeResync();
      await unsubscribe();
    },
  };
}
