/**
 * The promise's outcome, or the rejection `late()` when it takes longer than `timeoutMs`. The work itself goes on. An answer that
 * is here already counts as in time: a process that was busy itself does not take the other side for silent.
 */
export async function within<T>(promise: Promise<T>, timeoutMs: number, late: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    // Timers come before what has arrived from outside, setImmediate after it.
    timer = setTimeout(() => setImmediate(() => reject(late())), timeoutMs);
  });
  return Promise.race([promise, timeout]).finally(() => clearTimeout(timer));
}
