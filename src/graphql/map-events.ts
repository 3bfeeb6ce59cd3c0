/**
 * What `map` makes of each event, until the source ends; however that happens, `end` is called. In place of a generator, because it stands
 * between every event and every subscriber: it adds one promise to the source's own, and another only where `map` gives one.
 */
export function mapEvents<Event, Result>(events: AsyncIterable<Event>, map: (event: Event) => Result | Promise<Result>, end: () => void = () => {}): AsyncIterableIterator<Result, undefined> {
  const source = events[Symbol.asyncIterator]();
  const over = { value: undefined, done: true as const };
  const fail = (error: unknown): never => {
    end();
    void source.return?.();
    throw error;
  };
  const take = ({ value, done }: IteratorResult<Event>): IteratorResult<Result, undefined> | Promise<IteratorResult<Result, undefined>> => {
    if (done) {
      end();
      return over;
    }
    try {
      const result = map(value);
      return result instanceof Promise ? result.then((settled) => ({ value: settled, done: false }), fail) : { value: result, done: false };
    } catch (error) {
      return fail(error);
    }
  };
  return {
    next: () => source.next().then(take, fail),
    async return() {
      end();
      await source.return?.();
      return over;
    },
    async throw(error) {
      end();
      await source.return?.();
      throw error;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
