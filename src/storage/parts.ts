import { Readable } from 'node:stream';

/**
 * The body in buffers of `partBytes`, the last of them shorter, or empty where the body is. The last one comes only after the body has ended
 * with exactly `byteSize` bytes, so whoever sends parts as they come never completes a wrong object.
 */
export async function* partsOf(body: Readable | Uint8Array, byteSize: number, partBytes: number, key: string): AsyncGenerator<Buffer> {
  let received = 0;
  let filled = 0;
  let part = Buffer.allocUnsafe(Math.min(partBytes, byteSize));
  for await (const chunk of body instanceof Readable ? (body as AsyncIterable<Uint8Array>) : [body]) {
    if (received + chunk.byteLength > byteSize) throw new Error(`Expected ${byteSize} bytes for ${key} but received more`);
    for (let rest = chunk; rest.byteLength > 0; ) {
      if (filled === part.byteLength) {
        yield part;
        part = Buffer.allocUnsafe(Math.min(partBytes, byteSize - received));
        filled = 0;
      }
      const taken = rest.subarray(0, part.byteLength - filled);
      part.set(taken, filled);
      filled += taken.byteLength;
      received += taken.byteLength;
      rest = rest.subarray(taken.byteLength);
    }
  }
  if (received < byteSize) throw new Error(`Expected ${byteSize} bytes for ${key} but received ${received}`);
  yield part;
}

/** Runs at most `count` works at a time, in the order they came. */
export function createSlots(count: number): <Result>(work: () => Promise<Result>) => Promise<Result> {
  let free = count;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free++;
    }
  };
}
