import { GraphQLError } from 'graphql';

/** Every code a client can meet in `extensions.code`, with what it means. The list is closed: docs and tests read it. */
export const errorCodes = {
  UNAUTHENTICATED: 'No valid credential came with the request.',
  FORBIDDEN: 'The credential is valid, but does not allow this.',
  NOT_FOUND: 'There is no such thing for this viewer. An id that is none, or of another type, is one that nothing has.',
  INVALID_INPUT: 'An argument breaks a rule; the message names it.',
  TOO_LARGE: 'The file or the request has more bytes than allowed.',
  TOO_MANY_FILES: 'More files in one request than allowed.',
  TOO_MANY_PIXELS: 'The image has more pixels, a longer side or more frames than allowed.',
  TOO_SMALL: 'The image has a shorter side than allowed.',
  EMPTY: 'The file has no bytes.',
  UNSUPPORTED_TYPE: 'The bytes are not of an accepted image format.',
  CORRUPT: 'The bytes claim a format but cannot be decoded.',
  CHECKSUM_MISMATCH: 'The bytes that arrived are not the bytes that were announced.',
  UPLOAD_EXPIRED: 'The upload was not completed in time.',
  URL_REFUSED: 'The URL is private, malformed or not allowed.',
  URL_UNREACHABLE: 'Nothing could be fetched from the URL: it answers with an error, too slowly or not at all.',
  QUOTA_EXCEEDED: 'The viewer has used up a quota.',
  RATE_LIMITED: 'Too many requests; try again later.',
  QUERY_TOO_COSTLY: 'The query is too deep, too broad or too expensive.',
  IDEMPOTENCY_MISMATCH: 'The idempotency key was used before with other input.',
  PROVIDER_UNAVAILABLE: 'The provider asked for cannot run on this server; the message says why.',
  STORAGE_UNAVAILABLE: 'The object store does not answer.',
  DATABASE_UNAVAILABLE: 'The database does not answer.',
  INTERNAL: 'A fault of the server. The request id finds it in the log.',
} as const;
export type ErrorCode = keyof typeof errorCodes;

const httpStatus: Partial<Record<ErrorCode, number>> = {
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  TOO_LARGE: 413,
  RATE_LIMITED: 429,
  QUERY_TOO_COSTLY: 400,
};

/** What an answer with 401 has to carry: https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1 */
export const challenge = { 'www-authenticate': 'Bearer' };

/** The request is at fault: the message goes to the client word for word, so it says what was expected, what came and what helps. */
export class UserError extends GraphQLError {
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, options: { hint?: string; status?: number; cause?: unknown; retryAfterMs?: number } = {}) {
    const status = options.status ?? httpStatus[code];
    const retryAfterSeconds = options.retryAfterMs === undefined ? undefined : Math.max(1, Math.ceil(options.retryAfterMs / 1000));
    const headers = retryAfterSeconds ? { 'retry-after': String(retryAfterSeconds) } : status === 401 ? challenge : undefined;
    super(message, {
      extensions: { code, ...(options.hint && { hint: options.hint }), ...(retryAfterSeconds && { retryAfterSeconds }), ...(status && { http: { status, ...(headers && { headers }) } }) },
      originalError: options.cause instanceof Error ? options.cause : undefined,
    });
    this.name = 'UserError';
    this.code = code;
    this.hint = options.hint;
  }
}

export const noImage = (what = 'image') => new UserError('NOT_FOUND', `There is no ${what} with this id`, { hint: 'Take the `id` that an answer gave, such as one of { images { nodes { id } } }; it may have been deleted since' });

/** Refuses a request whose ids are not all there, with the place of the first that is not: each is a row's id, in the order of the argument. */
export function mustBeThere(what: string, argument: string, ids: readonly string[], found: readonly { id: string }[]): void {
  const known = new Set(found.map(({ id }) => id));
  const missing = ids.findIndex((id) => !known.has(id));
  if (missing >= 0) throw new UserError('NOT_FOUND', `There is no ${what} with the id at place ${missing} of ${argument}`, { hint: 'It may have been deleted; places are counted from 0' });
}

/** Every code a failed job can carry in `failure.code`, with what it means. Closed like `errorCodes`. */
export const failureCodes = {
  PROVIDER_AUTH: 'The provider refused our credential.',
  PROVIDER_RATE_LIMITED: 'The provider is busy and asked us to wait longer than the job may.',
  PROVIDER_TIMEOUT: 'The provider did not answer in time.',
  PROVIDER_ERROR: 'The provider answered with a fault.',
  PROVIDER_REFUSED: 'The provider refused the content or the parameters.',
  MODEL_MISSING: 'The model or its runtime is not installed.',
  NO_SUBJECT: 'No subject was found in the image.',
  CORRUPT: 'The input cannot be decoded.',
  OUT_OF_MEMORY: 'The work needed more memory than one job may use.',
  TIMED_OUT: 'The work took longer than one job may take.',
  DEADLINE_EXCEEDED: 'The deadline of the job passed before it was done.',
  WORKER_LOST: 'The process that ran the job died or lost touch, too often.',
  INTERNAL: 'A fault of the server. The job id finds it in the log.',
} as const;
export type FailureCode = keyof typeof failureCodes;

/** What helps where a failure brings no better advice: no code comes without. */
export const failureHints: Record<FailureCode, string> = {
  PROVIDER_AUTH: 'Check the credential of the provider in the settings of this server',
  PROVIDER_RATE_LIMITED: 'Retry the job later, or raise the limits of the account with the provider',
  PROVIDER_TIMEOUT: 'Retry the job; where it happens often, raise PROVIDER_TIMEOUT',
  PROVIDER_ERROR: 'Retry the job later, or use another provider: see `operations`',
  PROVIDER_REFUSED: 'Change the input or the parameters, or use another provider: see `operations`',
  MODEL_MISSING: 'The query `operations` tells what is missing on this server',
  NO_SUBJECT: 'Send a picture in which something stands out from its background',
  CORRUPT: 'Open the file in a program and save it anew, then upload that',
  OUT_OF_MEMORY: 'Send a smaller input, or raise COMPUTE_MEMORY',
  TIMED_OUT: 'Send a smaller input, or raise the time-out of the operation with JOB_TIMEOUTS',
  DEADLINE_EXCEEDED: 'Allow more time, or add workers',
  WORKER_LOST: 'Look for a crash or lack of memory in the log of the worker, then retry the job',
  INTERNAL: 'The log of the server tells more under the id of the job',
};

/**
 * The work failed, not the request: it becomes `failure` on the job. `retryable` decides whether the job runs again by itself.
 * With `deferMs` nothing was tried: the job waits that long, and it costs none of its tries.
 */
export class ProviderError extends Error {
  readonly code: FailureCode;
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;
  readonly deferMs: number | undefined;
  readonly hint: string | undefined;
  /** The HTTP status of the provider's answer, where there was one. */
  readonly status: number | undefined;

  constructor(
    code: FailureCode,
    message: string,
    options: { retryable: boolean; retryAfterMs?: number; deferMs?: number; hint?: string; status?: number; cause?: unknown },
  ) {
    super(message, { cause: options.cause });
    this.name = 'ProviderError';
    this.code = code;
    this.retryable = options.retryable;
    this.retryAfterMs = options.retryAfterMs;
    this.deferMs = options.deferMs;
    this.hint = options.hint;
    this.status = options.status;
  }
}

/** The reason of an abort after which the job goes on elsewhere: what a provider has begun outside, and has noted, is left as it is. */
export class HandedOver extends Error {
  override name = 'HandedOver';
}
