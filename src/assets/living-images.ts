import type { App } from '../app.ts';

/** Rung when assets were deleted: whoever remembers rows forgets them. */
export const assetsDeleted = 'assets-deleted';

/** Only where a ring was lost, or a row went without us, is a deleted image believed for so long. */
const believedMs = 5_000;
const maxRemembered = 10_000;

export interface LivingImage {
  storageKey: string;
  filename: string;
  hasAlpha: boolean;
}

/** Finds images by their ids for those whose right was proved otherwise; a page that shows one picture often asks the database once. */
export async function openLivingImages({ db, events }: Pick<App, 'db' | 'events'>): Promise<{ find(id: string): Promise<LivingImage | null>; close(): Promise<void> }> {
  const remembered = new Map<string, { askedAtMs: number; image: Promise<LivingImage | null> }>();
  // A lookup that is under way when the ring comes is dropped as well, since its promise is what is remembered.
  const forget = () => remembered.clear();
  const unsubscribe = await events.subscribe(assetsDeleted, forget);
  const removeResync = events.onResync(forget);

  async function lookUp(id: string): Promise<LivingImage | null> {
    const row = await db.asset.findUnique({ where: { id }, select: { storageKey: true, filename: true, hasAlpha: true } });
    return row && { ...row, hasAlpha: row.hasAlpha ?? false };
  }

  return {
    async find(id) {
      const known = remembered.get(id);
      if (known && Date.now() - known.askedAtMs < believedMs) return known.image;
      if (remembered.size >= maxRemembered) remembered.clear();
      const asked = { askedAtMs: Date.now(), image: lookUp(id) };
      remembered.set(id, asked);
      // What could not be asked is asked again.
      asked.image.catch(() => remembered.get(id) === asked && remembered.delete(id));
      return asked.image;
    },
    async close() {
      removeResync();
      await unsubscribe();
    },
  };
}
