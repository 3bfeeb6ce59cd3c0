import { failureHints, ProviderError, UserError } from '../errors.ts';
import { storableText } from './storable.ts';
import type { Failure } from './transitions.ts';

/** What a job says about the error that ended its attempt. A bug keeps its words for the log: the client gets the job id to quote. */
export function toFailure(error: unknown, jobId: string): Failure {
  if (error instanceof ProviderError) {
    return { code: error.code, message: storableText(error.message), hint: storableText(error.hint ?? failureHints[error.code]), retryable: error.retryable, retryAfterMs: error.retryAfterMs };
  }
  // The same checks run at the upload and in the job; here the input is at fault, and stays so.
  if (error instanceof UserError) return { code: 'CORRUPT', message: storableText(error.message), hint: error.hint ?? failureHints.CORRUPT, retryable: false };
  return { code: 'INTERNAL', message: 'Something went wrong on our side', hint: `The server's log tells more under the job id ${jobId}`, retryable: true };
}

/** The job was cancelled or given to somebody else; what this attempt found is dropped. */
export class Unwanted extends Error {
  override name = 'Unwanted';
}
