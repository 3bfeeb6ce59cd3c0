import { setTimeout as wait } from 'node:timers/promises';

// Serialisation failure, deadlock; connection failures (class 08); the server is shutting down, crashed or starting.
const sqlStates = /^(40001|40P01|08\w{3}|57P0[123])$/;
// Prisma: write conflict or deadlock; cannot reach, timed out reaching, closed by the server.
const prismaCodes = /^(P2034|P1001|P1002|P1017)$/;
const adapterKinds = /^(TransactionWriteConflict|DatabaseNotReachable|ConnectionClosed|SocketTimeout)$/;
// node-postgres has no code for these.
const messages = /Connection terminated|Client has encountered a connection error|ECONNREFUSED|ECONNRESET|EPIPE|server closed the connection/i;

/** Whether the same work may succeed a moment later: two transactions got in each other's way, or the connection was lost. */
export function isTransient(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  const { code, kind, originalCode, message, cause, meta } = error as Record<string, unknown>;
  const says = (pattern: RegExp, value: unknown) => typeof value === 'string' && pattern.test(value);
  return (
    says(prismaCodes, code) || says(sqlStates, code) || says(sqlStates, originalCode) || says(adapterKinds, kind) || says(messages, message) ||
    isTransient(cause) || isTransient((meta as Record<string, unknown> | undefined)?.['driverAdapterError'])
  );
}

/**
 * Runs `work` again while its failure is transient, with growing, jittered waits. A connection that is lost at COMMIT leaves open
 * whether it took place, so `work` must be a read, or a write that may happen twice.
 */
export async function withRetry<Result>(work: () => Promise<Result>, { attempts = 5, delayMs = 20 }: { attempts?: number; delayMs?: number } = {}): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (attempt >= attempts || !isTransient(error)) throw error;
      await wait(delayMs * 2 ** (attempt - 1) * (0.5 + Math.random()));
    }
  }
}
