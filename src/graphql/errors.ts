import { GraphQLError, type ExecutionResult } from 'graphql';
import { isUnstorableText } from '../database/faults.ts';
import { isUnreachable } from '../database/retry.ts';
import { errorCodes, UserError, type ErrorCode } from '../errors.ts';
import type { Log } from '../log.ts';
import { StorageUnavailable } from '../storage/storage.ts';

/** What helps who has sent something else for a file. */
export const multipartHint = 'Send the request as multipart/form-data with the fields "operations" and "map", as upload clients for Apollo and urql do';

/** A refusal at the front door, before GraphQL runs: the status speaks to HTTP clients, the code and the sentence to everybody. */
export function refusal(status: number, code: ErrorCode, message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code, http: { status } } });
}

/** A result as the client may see it: our sentences and GraphQL's own stay, each with a code; anything else is logged and masked. */
export function presentResult<Result extends ExecutionResult>(result: Result, requestId: string, log: Log): Result {
  if (!result.errors) return result;
  return { ...result, errors: result.errors.map((error) => presentError(error, requestId, log)) };
}

/** One error as the client may see it. Presenting twice changes nothing. */
export function presentError(error: unknown, requestId: string, log: Log): GraphQLError {
  const fault = error instanceof GraphQLError ? error : new GraphQLError('', { originalError: toError(error) });
  if (isKnownCode(fault.extensions.code)) return fault;

  const cause = rootOf(fault);
  if (cause instanceof UserError) return relabel(fault, cause.message, cause.extensions);
  if (isAboutInput(fault) || (cause instanceof GraphQLError && !isOutputFault(fault))) return relabel(fault, fault.message, { ...http(fault), code: clientCode(fault), ...(lacksFile(fault) && { hint: multipartHint }) });

  // Whatever we write ourselves is cleaned before, so it came with the request.
  if (isUnstorableText(cause)) return relabel(fault, 'Expected text without NUL characters', { code: 'INVALID_INPUT' });

  log.error({ requestId, path: fault.path, err: cause }, 'A request met an unexpected error');
  const outage = outageOf(cause);
  return outage
    ? relabel(fault, `${outage.who} does not answer right now; try again in a moment. Request id: ${requestId}`, { code: outage.code, http: { status: 503 } })
    : relabel(fault, `Something went wrong on our side. Quote this request id: ${requestId}`, { code: 'INTERNAL', http: { status: 500 } });
}

function outageOf(error: Error): { who: string; code: ErrorCode } | null {
  if (error instanceof StorageUnavailable) return { who: 'The file store', code: 'STORAGE_UNAVAILABLE' };
  return isUnreachable(error) ? { who: 'The database', code: 'DATABASE_UNAVAILABLE' } : null;
}

function isKnownCode(code: unknown): boolean {
  return typeof code === 'string' && Object.hasOwn(errorCodes, code);
}

/** What was thrown: GraphQL wraps it once for its place in the query, and sometimes again. */
function rootOf(error: GraphQLError): Error {
  let root: Error = error;
  while (root instanceof GraphQLError && !isKnownCode(root.extensions.code) && root.originalError) root = root.originalError;
  return root;
}

// A scalar refuses a value of the client with an error of its own class, to which graphql-js gives these beginnings.
const isAboutInput = (error: GraphQLError) => error.path === undefined && /^(Variable "\$|Expected value of type ")/.test(error.message);

// graphql-js tells a null for a file, or none at all, without asking the scalar.
const lacksFile = (error: GraphQLError) => isAboutInput(error) && /type "\[?File!/.test(error.message);

// A resolver that hands a scalar or enum something it cannot print is our bug, although graphql-js reports it like a client's fault.
const isOutputFault = (error: GraphQLError) => error.path !== undefined && / cannot represent /.test(error.message);

const clientCode = (error: GraphQLError): ErrorCode =>
  / (Parsing|Validation) aborted\.?$/.test(error.message) || /^Too many validation errors/.test(error.message) ? 'QUERY_TOO_COSTLY' : 'INVALID_INPUT';

// `spec` lets Yoga answer 200 to clients that know only application/json; a body that cannot be read at all is 400 for them too.
const http = ({ extensions }: GraphQLError) =>
  extensions.http ? { http: { ...extensions.http, spec: extensions.code === 'BAD_REQUEST' ? undefined : extensions.http.spec } } : {};

// The original error is left behind: nothing of it may travel, and everything of it is in the log.
function relabel(error: GraphQLError, message: string, extensions: Record<string, unknown>): GraphQLError {
  // A fault inside a result belongs to its field: the rest of the answer is good, so the answer stays 200.
  const { http: answer, ...rest } = extensions;
  return new GraphQLError(message, {
    nodes: error.nodes, source: error.source, positions: error.positions, path: error.path,
    extensions: error.path === undefined && answer ? { ...rest, http: answer } : rest,
  });
}

const toError = (value: unknown) => (value instanceof Error ? value : new Error(String(value)));
