import { setImmediate as turn } from 'node:timers/promises';

const waiting = new WeakMap<object, Map<string, Promise<unknown>>>();

/**
 * Equal readings that are asked for in one turn of the event loop are one, and it begins after all of them were asked for: whoever was rung
 * sees what the ring was about. A thousand sockets of one viewer cost one reading. `key` says all that the reading depends on.
 */
export function readTogether<Result>(source: object, key: string, read: () => Promise<Result>): Promise<Result> {
  const readings = waiting.get(source) ?? new Map<string, Promise<unknown>>();
  waiting.set(source, readings);
  const known = readings.get(key) as Promise<Result> | undefined;
  if (known) return known;
  const reading = turn().then(() => {
    readings.delete(key);
    return read();
  });
  readings.set(key, reading);
  return reading;
}
