import { Busy } from './exchange.ts';

const keys = 'check S3_ACCESS_KEY and S3_SECRET_KEY, and that they may list, read, write and delete in this bucket';
const place = 'check S3_ENDPOINT and S3_REGION';
const helps: Record<string, string> = {
  NoSuchBucket: 'make the bucket, or correct S3_BUCKET',
  AccessDenied: keys,
  InvalidAccessKeyId: keys,
  SignatureDoesNotMatch: `${keys}, and S3_REGION`,
  AuthorizationHeaderMalformed: place,
  PermanentRedirect: place,
  MovedPermanently: place,
  TemporaryRedirect: place,
  ENOTFOUND: place,
  ECONNREFUSED: place,
  RequestTimeTooSkewed: 'set the clock of this machine',
  NotImplemented: 'where the store cannot encrypt, set S3_ENCRYPTION=none',
};

/** Refusals by which a store says that the bytes were damaged or lost on the way, or that it is at fault itself. */
const passing = new Set(['InternalError', 'SlowDown', 'ServiceUnavailable', 'RequestTimeout', 'BadDigest', 'XAmzContentSHA256Mismatch', 'IncompleteBody']);

/** The word for what went wrong. The minio client throws errors with `code`, and for an error inside a good answer the parsed XML itself, with `Code`. */
export function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const code: unknown = 'code' in error ? error.code : 'Code' in error ? error.Code : undefined;
  return typeof code === 'string' ? code : undefined;
}

/** Whether the store answered, and its answer was no. */
export function isRefusal(error: unknown): boolean {
  return !(error instanceof Error) || error.name === 'S3Error';
}

/** Whether the same exchange may work a moment later. What the store refused, it refuses again; what broke on the way may arrive. */
export function isPassing(error: unknown): boolean {
  return !isRefusal(error) || passing.has(codeOf(error) ?? '');
}

/** What came instead of an answer, with what helps. */
export function reasonOf(error: unknown): string {
  const code = codeOf(error);
  const said = messageOf(error).slice(0, 300);
  const told = error instanceof Busy || code === undefined || said.includes(code) ? said : `${code}, ${said}`;
  const help = helps[code ?? ''];
  return `${told || 'it sent an answer that is none'}${help ? `; ${help}` : ''}`;
}

function messageOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return String(error);
  const message: unknown = 'message' in error ? error.message : 'Message' in error ? error.Message : '';
  return typeof message === 'string' ? message : '';
}
