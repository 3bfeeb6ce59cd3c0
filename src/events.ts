import type { Log } from './log.ts';
import type { RedisConnections } from './redis.ts';
import { within } from './within.ts';

type Listener = () => void;

/**
 * "Topic X has changed": a doorbell between processes. A topic is the whole message; whoever hears it reads the truth again.
 * Rings may be lost while the bell is down, be repeated and come late. Every sibling passes `test/events.test.ts`.
 */
export interface Events {
  /** Rings for everybody who listens to one of the topics now. Never rejects when the bell is down: it logs that once, and the listeners' poll heals it. */
  publish(...topics: string[]): Promise<void>;
  /** The same for a topic that changes all the time: the first ring at once, and those of the next 50 ms together when they are over. */
  publishOften(topic: string): void;
  /**
   * Resolves when the subscription is in force: a ring after that is heard. While the bell is down it resolves within a second and
   * takes force as soon as the bell is back. The listener is also called whenever rings may have been lost, so it needs nothing else.
   */
  subscribe(topic: string, listener: Listener): Promise<() => Promise<void>>;
  /** Calls when rings of any topic may have been lost, with every subscription in force again. Gives back what removes the listener. */
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

const restMs = 50;

/** Lets each topic rest for a while after a ring; what was asked for meanwhile is rung then, or when `flush` is called. */
function withRests(publish: (...topics: string[]) => Promise<void>) {
  const resting = new Map<string, { timer: NodeJS.Timeout; isAwaited: boolean }>();
  function publishOften(topic: string): void {
    const rest = resting.get(topic);
    if (rest) return void (rest.isAwaited = true);
    const timer = setTimeout(() => {
      const { isAwaited } = resting.get(topic)!;
      resting.delete(topic);
      if (isAwaited) publishOften(topic);
    }, restMs);
    resting.set(topic, { timer, isAwaited: false });
    void publish(topic);
  }
  const flush = async () => {
    const rests = [...resting];
    resting.clear();
    rests.forEach(([, { timer }]) => clearTimeout(timer));
    const awaited = rests.filter(([, { isAwaited }]) => isAwaited).map(([topic]) => topic);
    // All at once: a bell that is down would make the stop wait for each.
    if (awaited.length > 0) await publish(...awaited);
  };
  return { publishOften, flush };
}

/** Events inside this process. Nothing is ever lost here, so there is never a resync. */
export function memoryEvents(log: Log): Events {
  const topics = new Map<string, Set<Listener>>();
  const publish = async (...rung: string[]) => {
    for (const topic of rung) ringAll(topics.get(topic) ?? [], log);
  };
  const { publishOften, flush } = withRests(publish);
  return {
    publish,
    publishOften,
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
      await flush();
      topics.clear();
    },
  };
}

/** Events through Redis pub/sub: one connection for all subscriptions of this process, one channel for all listeners of a topic. */
export function redisEvents(redis: RedisConnections, prefix: string, log: Log): Events {
  const { subscriber } = redis;
  const channelOf = (topic: string) => `${prefix}:event:${topic}`;
  const channels = new Map<string, { listeners: Set<Listener>; inForce: Promise<void> }>();
  const resyncs = new Set<Listener>();

  const complain = (error: Error, sentence: string) => log[redis.isUp() ? 'warn' : 'debug']({ reason: error.message }, sentence);
  const bounded = <T>(promise: Promise<T>) => within(promise, 1_000, () => new Error('Redis did not answer within a second'));
  const onMessage = (channel: string) => ringAll(channels.get(channel)?.listeners ?? [], log);

  // Redis forgets subscriptions with the connection, and what was published meanwhile is gone: listen again, then have everybody look.
  const onReady = () => {
    const again = channels.size > 0 ? subscriber.subscribe(...channels.keys()) : Promise.resolve();
    again.then(
      () => ringAll([...resyncs, ...[...channels.values()].flatMap(({ listeners }) => [...listeners])], log),
      (error: Error) => complain(error, 'Could not subscribe to events again'),
    );
  };
  subscriber.on('message', onMessage);
  subscriber.on('ready', onReady);

  const publish = async (...topics: string[]) => {
    // In one write to the socket, which costs more than the commands.
    const rings = topics.map((topic) => ['publish', channelOf(topic), '']);
    await redis.ask((commands) => commands.pipeline(rings).exec()).catch((error: Error) => complain(error, `Could not announce ${topics.join(' and ')}`));
  };
  const { publishOften, flush } = withRests(publish);
  return {
    publish,
    publishOften,
    async subscribe(topic, listener) {
      const channel = channelOf(topic);
      const own = () => listener();
      const entry = channels.get(channel) ?? {
        listeners: new Set<Listener>(),
        inForce: subscriber.subscribe(channel).then(() => {}, (error: Error) => complain(error, `Could not subscribe to ${topic}`)),
      };
      channels.set(channel, entry);
      entry.listeners.add(own);
      await bounded(entry.inForce).catch(() => {
        // Redis is silent, not gone: there will be no new connection that says "look", so the late answer has to.
        void entry.inForce.then(() => entry.listeners.has(own) && ringAll([own], log));
      });
      return async () => {
        entry.listeners.delete(own);
        if (entry.listeners.size > 0 || channels.get(channel) !== entry) return;
        channels.delete(channel);
        // Where this fails the connection is gone, and the subscription with it.
        await bounded(subscriber.unsubscribe(channel)).catch(() => {});
      };
    },
    onResync(listener) {
      const own = () => listener();
      resyncs.add(own);
      return () => void resyncs.delete(own);
    },
    async check() {
      await Promise.all([redis.check(), bounded(subscriber.ping())]);
    },
    async close() {
      await flush();
      subscriber.off('message', onMessage);
      subscriber.off('ready', onReady);
      channels.clear();
      resyncs.clear();
      await bounded(subscriber.unsubscribe()).catch(() => {});
    },
  };
}

/**
 * Listen first, then look: yields at once when the subscriptions are in force, then once after every ring, or `pollMs`
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
  async function* linked(other: AbortSignal) {
    if (other.aborted) return;
    other.addEventListener('abort', abort, { once: true });
    try {
      yield* generate(controller.signal);
    } finally {
      other.removeEventListener('abort', abort);
    }
  }
  const source = signal ? linked(signal) : generate(controller.signal);
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
