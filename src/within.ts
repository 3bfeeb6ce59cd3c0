/** The promise's outcome, or the rejection `late()` when it takes longer than `timeoutMs`. The work itself goes on. */
export async function within<T>(promise: Promise<T>, timeoutMs: number, late: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_resolve, reject) => (timer = setTimeout(() => reject(late()), timeoutMs)));
  return Promise.race([promise, timeout]).finally(() => clearTimeout(timer));
}
