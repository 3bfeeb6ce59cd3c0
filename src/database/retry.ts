import { setTimeout as wait } from 'node:timers/promises';

// Serialisation failure and deadlock, as Postgres, Prisma and its adapter call them.
const conflicts = /^(40001|40P01|P2034|TransactionWriteConflict)$/;
// Connection failures (class 08), no room for another, shutting down, crashed, starting; then Prisma's and its adapter's words for the same.
const outages = /^(08\w{3}|53300|57P0[123]|P10(00|01|02|03|08|10|11|17)|P2024|P2037|DatabaseNotReachable|ConnectionClosed|SocketTimeout|TooManyConnections)$/;
const sockets = /^(ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH)$/;
// node-postgres has no code for these, and Prisma none for the last.
const sentences = /Connection terminated|Client has encountered a connection error|server closed the connection|timeout exceeded when trying to connect|Unable to start a transaction in the given time/i;

type Fault = Record<string, unknown>;
const isFault = (error: unknown): error is Fault => typeof error === 'object' && error !== null;
const says = (pattern: RegExp, ...values: unknown[]) => values.some((value) => typeof value === 'string' && pattern.test(value));
const adapterFault = ({ meta }: Fault) => (isFault(meta) ? meta['driverAdapterError'] : undefined);

/** Whether something failed because the database is out of reach: it is away, starting or full, or has cut the connection. */
export function isUnreachable(error: unknown): boolean {
  if (!isFault(error)) return false;
  const { name, code, errorCode, kind, originalCode, message, syscall, errors, cause } = error;
  if (says(outages, code, errorCode, kind, originalCode) || says(sentences, message) || name === 'PrismaClientInitializationError') return true;
  // The adapter lets some errors of connecting through as they are. A pipe that breaks may be anybody's.
  if (says(/^(connect|getaddrinfo)$/, syscall) && says(sockets, code)) return true;
  if (Array.isArray(errors) && errors.some(isUnreachable)) return true;
  // Causes are looked at in Prisma's own errors only: whose store is away, and says so, does not mean the database.
  return says(/^(PrismaClient|DriverAdapterError)/, name) && (isUnreachable(cause) || isUnreachable(adapterFault(error)));
}

/** Whether the same work on the database may succeed a moment later: two transactions got in each other's way, or it was out of reach. */
export function isTransient(error: unknown): boolean {
  if (!isFault(error)) return false;
  const { code, kind, originalCode, cause } = error;
  return isUnreachable(error) || says(conflicts, code, kind, originalCode) || says(sockets, code) || isTransient(cause) || isTransient(adapterFault(error));
}

const longestDelayMs = 1_000;

/**
 * Runs `work` again while its failure is transient, with growing, jittered waits, and not after `signal` has aborted. A connection
 * that is lost at COMMIT leaves open whether it took place, so `work` must be a read, or a write that may happen twice.
 */
export async function withRetry<Result>(work: () => Promise<Result>, { attempts = 5, delayMs = 20, signal }: { attempts?: number; delayMs?: number; signal?: AbortSignal } = {}): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (attempt >= attempts || signal?.aborted || !isTransient(error)) throw error;
      await wait(Math.min(longestDelayMs, delayMs * 2 ** (attempt - 1)) * (0.5 + Math.random()));
    }
  }
}
