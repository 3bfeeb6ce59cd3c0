import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { App } from '../app.ts';
import { imageLimits } from '../compute/limits.ts';
import type { Recipe } from '../compute/render.ts';
import type { Storage } from '../storage/storage.ts';
import type { RenditionCache } from './rendition-cache.ts';

/** An AVIF of 4096 px takes about three seconds. */
const timeoutMs = 30_000;

/** Puts a rendition into the cache. Rejects with the reason of `gone` when that aborts first. */
export type MakeRendition = (name: string, storageKey: string, recipe: Recipe, gone: AbortSignal) => Promise<void>;

interface Flight {
  waiters: number;
  landed: Promise<void>;
}

/**
 * Each rendition is made once, however many ask for it at the same time. No more are under way than compute has processes, so that a page
 * of a hundred pictures never stands before a job; those that nobody waits for any more are not begun.
 */
export function createRenditionMaker({ compute, storage, config }: Pick<App, 'compute' | 'storage' | 'config'>, cache: RenditionCache): MakeRendition {
  const withOriginal = shareOriginals(storage, cache.work);
  const withSlot = createSlots(config.COMPUTE_PROCESSES);
  const flights = new Map<string, Flight>();

  const render = (name: string, storageKey: string, recipe: Recipe) =>
    withOriginal(storageKey, (source) =>
      cache.keep(name, async (target) => {
        await compute.run('render', { source, target, recipe, limits: imageLimits(config) }, { timeoutMs });
      }),
    );

  function begin(name: string, storageKey: string, recipe: Recipe): Flight {
    const work = async () => {
      try {
        if (flight.waiters === 0) throw new DOMException('Nobody waits for this rendition any more', 'AbortError');
        await render(name, storageKey, recipe);
      } finally {
        flights.delete(name);
      }
    };
    // Not before whoever asked is counted.
    const flight: Flight = { waiters: 0, landed: Promise.resolve().then(() => withSlot(work)) };
    flights.set(name, flight);
    return flight;
  }

  return async (name, storageKey, recipe, gone) => {
    gone.throwIfAborted();
    const flight = flights.get(name) ?? begin(name, storageKey, recipe);
    flight.waiters++;
    try {
      await Promise.race([flight.landed, aborted(gone)]);
    } finally {
      flight.waiters--;
    }
  };
}

/** Originals lie on this machine's disk as long as somebody works on them: all sizes of one picture at once cost one download. */
function shareOriginals(storage: Storage, folder: string) {
  const held = new Map<string, { path: string; users: number; downloaded: Promise<void> }>();
  return async <Result>(key: string, use: (path: string) => Promise<Result>): Promise<Result> => {
    let original = held.get(key);
    if (!original) {
      const path = join(folder, randomUUID());
      original = { path, users: 0, downloaded: storage.download(key, path) };
      held.set(key, original);
    }
    original.users++;
    try {
      await original.downloaded;
      return await use(original.path);
    } finally {
      if (--original.users === 0) {
        held.delete(key);
        await rm(original.path, { force: true });
      }
    }
  };
}

/** At most `count` at a time; the others wait their turn. */
function createSlots(count: number) {
  const turns: (() => void)[] = [];
  let free = count;
  return async <Result>(work: () => Promise<Result>): Promise<Result> => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => turns.push(resolve));
    try {
      return await work();
    } finally {
      const next = turns.shift();
      if (next) next();
      else free++;
    }
  };
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
}
