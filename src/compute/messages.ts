import { type ErrorCode, type FailureCode, ProviderError, UserError } from '../errors.ts';

export interface TaskContext {
  progress(percent: number, stage: string): void;
}

/** One thing a child can do. Input and output cross a process border: plain data and buffers only. */
export type Task = (input: never, context: TaskContext) => Promise<unknown>;
export type TaskList = Record<string, Task>;

export interface ToChild {
  id: number;
  name: string;
  input: unknown;
}

export interface MemoryUse {
  /** Resident memory now. */
  rssBytes: number;
  /** The most it was during the task; during the life of the child where the system cannot tell. */
  peakRssBytes: number;
}

export type FromChild =
  | { type: 'ready' }
  | { type: 'memory'; rssBytes: number }
  | { type: 'progress'; id: number; percent: number; stage: string }
  | { type: 'done'; id: number; output: unknown; memory: MemoryUse }
  | { type: 'failed'; id: number; error: PackedError; memory: MemoryUse };

export type PackedError =
  | { kind: 'user'; code: ErrorCode; message: string; hint: string | undefined }
  | { kind: 'provider'; code: FailureCode; message: string; retryable: boolean; retryAfterMs: number | undefined; hint: string | undefined }
  | { kind: 'fault'; name: string; message: string; stack: string | undefined };

/** Structured clone forgets the class of an error, so its class travels as data. */
export function packError(error: unknown): PackedError {
  if (error instanceof UserError) {
    const { hint } = error.extensions;
    return { kind: 'user', code: error.code, message: error.message, hint: typeof hint === 'string' ? hint : undefined };
  }
  if (error instanceof ProviderError) {
    const { code, message, retryable, retryAfterMs, hint } = error;
    return { kind: 'provider', code, message, retryable, retryAfterMs, hint };
  }
  if (error instanceof Error) return { kind: 'fault', name: error.name, message: error.message, stack: error.stack };
  return { kind: 'fault', name: 'Error', message: String(error), stack: undefined };
}

/** The error that `packError` was given, as the same class. */
export function unpackError(packed: PackedError): Error {
  if (packed.kind === 'user') return new UserError(packed.code, packed.message, { hint: packed.hint });
  if (packed.kind === 'provider') return new ProviderError(packed.code, packed.message, packed);
  return Object.assign(new Error(packed.message), { name: packed.name, stack: packed.stack });
}
