import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { getOperationAST, type ExecutionResult } from 'graphql';
import { processRegularResult } from 'graphql-yoga';
import type { Log } from '../log.ts';
import { presentResult } from './errors.ts';
import { bodyFault } from './guard.ts';
import { asGraphQLError, prepareOperation, type OperationParameters } from './operation.ts';
import type { FindDocument } from './persisted-operations.ts';
import type { Graphql, Visit } from './yoga.ts';

/** What an answer is written as, by what comes first in the header Accept. */
const mediaTypes = new Map([
  ['*/*', 'application/json'],
  ['application/json', 'application/json'],
  ['application/graphql-response+json', 'application/graphql-response+json'],
]);

interface PlainJsonOptions<Context extends object> {
  graphql: Graphql<Context>;
  log: Log;
  findDocument: FindDocument | undefined;
}

/**
 * Most requests are one query or mutation in JSON that wants JSON. They get the answer that Yoga would give, without the objects that it
 * makes for request and response and the hooks between them. Says false for all others, and for what cannot be run, before anything has
 * run: they are for Yoga, which finds a body that was read in `request.body`, a stream.
 */
export function createPlainJson<Context extends object>({ graphql, log, findDocument }: PlainJsonOptions<Context>) {
  async function run(request: IncomingMessage, visit: Visit<Context>, params: OperationParameters): Promise<ExecutionResult | null> {
    // Yoga's own rules look at the method and at which operation is meant.
    const engine = graphql.getEnveloped({ visit, request, params });
    const operation = await prepareOperation(engine, params, findDocument);
    if (!('document' in operation) || getOperationAST(operation.document, operation.operationName)?.operation === 'subscription') return null;
    try {
      return (await engine.execute(operation)) as ExecutionResult;
    } catch (error) {
      return { errors: [asGraphQLError(error)] };
    }
  }

  return async function answerPlainJson(request: IncomingMessage, response: ServerResponse, visit: Visit<Context>): Promise<boolean> {
    const mediaType = mediaTypes.get((request.headers.accept ?? '*/*').split(',', 1)[0]!);
    if (!mediaType || !isJson(request)) return false;
    // Before a word is read: strangers make no work.
    if (!(await visit.viewerContext().then(() => true, () => false))) return false;
    const body = await readText(request);
    if (body === null || response.writableEnded) return true;

    const params = parse(body);
    const result = isOperation(params, findDocument !== undefined) ? await run(request, visit, params) : null;
    if (!result) {
      // A stream: of a text the adapter counts the letters by name, which takes a third of a second for a megabyte.
      Object.assign(request, { body: Readable.from([Buffer.from(body)], { objectMode: false }) });
      return false;
    }
    const answer = processRegularResult(presentResult(result, visit.requestId, log), graphql.fetchAPI, mediaType);
    response.statusCode = answer.status;
    response.setHeaders(answer.headers).end(await answer.text());
    return true;
  };
}

function isJson(request: IncomingMessage): boolean {
  const { 'content-type': type = '', 'content-length': length } = request.headers;
  return request.method === 'POST' && /^application\/json(;|$)/.test(type) && length !== '0' && !bodyFault(request, 0);
}

/** The body, or null where the client leaves before its end. */
function readText(request: IncomingMessage): Promise<string | null> {
  return new Promise((resolve) => {
    // Who left while we asked who it is says nothing more, not even that.
    if (request.destroyed) return resolve(null);
    let text = '';
    request.setEncoding('utf8').on('data', (part: string) => { text += part; }).once('end', () => resolve(text));
    for (const event of ['error', 'close']) request.once(event, () => resolve(null));
  });
}

/** Undefined for what is no JSON: Yoga says so. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isOperation(params: unknown, hasManifest: boolean): params is OperationParameters {
  if (!isRecord(params)) return false;
  const { query, operationName, variables, extensions, documentId, ...others } = params;
  return (hasManifest || (typeof query === 'string' && documentId === undefined))
    && (operationName == null || typeof operationName === 'string')
    && [variables, extensions].every((part) => part == null || isRecord(part))
    && Object.keys(others).length === 0;
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
