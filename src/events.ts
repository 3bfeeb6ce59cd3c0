import type { Log } from './log.ts';

type Listener = () => void;

/**
 * "Topic X has changed": a doorbell between processes. A topic is the whole message; whoever hears it reads the truth again.
 * Rings may be lost while the bell is down, be repeated and come late. Every sibling passes `test/events.test.ts`.
 */
export interface Events {
  /** Rings for everybody who listens now. Never rejects when the bell is down: it logs that once, and the listeners' poll heals it. */
  publish(topic: string): Promise<void>;
  /**
   * Resolves when the subscription is in force: a ring after that is heard. While the bell is down it resolves within a second,
   * takes force as soon as the bell is back, and `onResync` says so.
   */
  subscribe(topic: string, listener: Listener): Promise<() => Promise<void>>;
  /** Calls when rings may have been lost, with every subscription in force again: look now. Gives back what removes the listener. */
  onResync(listener: Listener): () => void;
  /** Rejects, with the reason, when the bell is down. */
  check(): Promise<void>;
  /** Nobody hears anything after this. */
  close(): Promise<void>;
}

/** Calls every listener; one that throws is logged and keeps nobody else from hearing. */
export function ringAll(listeners: Iterable<Listener>, log: Log): void {
  for (const listener of [...listeners]) {
    try {
      listener();
    } catch (error) {
      log.error({ err: error }, 'A listener of events threw');
    }
  }
}

/** Events inside this process. Nothing is ever lost here, so there is never a resync. */
export function memoryEvents(log: Log): Events {
  const topics = new Map<string, Set<Listener>>();
  return {
    async publish(topic) {
      ringAll(topics.get(topic) ?? [], log);
    },
    async subscribe(topic, listener) {
      const own = () => listener();
      topics.set(topic, (topics.get(topic) ?? new Set()).add(own));
      return async () => {
        const listeners = topics.get(topic);
        listeners?.delete(own);
        if (listeners?.size === 0) topics.delete(topic);
      };
    },
    onResync: () => () => {},
    async check() {},
    async close() {
      topics.clear();
    },
  };
}

/**
 * Listen first, then look: yields at once when the subscriptions are in force, then once after every ring, resync or `pollMs`
 * without one. Rings that come while the reader is busy are one wake-up, so a slow reader costs nothing. Ends at once when
 * it is returned or `signal` aborts, also while it waits.
 */
export function wakeups(events: Events, topics: string[], { pollMs, signal }: { pollMs: number; signal?: AbortSignal }): AsyncGenerator<void, void, void> {
  return stoppable(async function* (stopped) {
    let rung = true;
    let wake = () => {};
    const ring = () => {
      rung = true;
      wake();
    };
    const stop = new Promise<void>((resolve) => {
      stopped.addEventListener('abort', () => {
        ring();
        resolve();
      });
    });
    const offResync = events.onResync(ring);
    const subscriptions = topics.map((topic) => events.subscribe(topic, ring));
    try {
      await Promise.race([Promise.all(subscriptions), stop]);
      while (!stopped.aborted) {
        if (!rung) {
          await new Promise<void>((resolve) => {
            const poll = setTimeout(resolve, pollMs);
            wake = () => {
              clearTimeout(poll);
              resolve();
            };
          });
          if (stopped.aborted) return;
        }
        rung = false;
        yield;
      }
    } finally {
      offResync();
      // Not awaited: a subscription that is still on its way must not hold up whoever stopped.
      for (const subscription of subscriptions) subscription.then((unsubscribe) => unsubscribe()).catch(() => {});
    }
  }, signal);
}

/**
 * A generator that ends at once when it is returned, by aborting the signal it was given. A plain async generator would first
 * wait for the value it is waiting for, and a client that has gone would keep its subscription until the next event.
 */
export function stoppable<T>(generate: (stopped: AbortSignal) => AsyncGenerator<T, void, void>, signal?: AbortSignal): AsyncGenerator<T, void, void> {
  const controller = new AbortController();
  const abort = () => controller.abort(signal?.reason);
  async function* linked() {
    if (signal?.aborted) return;
    signal?.addEventListener('abort', abort, { once: true });
    try {
      yield* generate(controller.signal);
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }
  const source = linked();
  return {
    next: () => source.next(),
    return: (value) => {
      controller.abort();
      return source.return(value);
    },
    throw: (error) => {
      controller.abort();
      return source.throw(error);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
    [Symbol.asyncDispose]: async () => {
      controller.abort();
      await source.return();
    },
  };
}
