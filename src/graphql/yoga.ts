import type { IncomingMessage, ServerResponse } from 'node:http';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { GraphQLError, type ExecutionArgs, type ExecutionResult, type GraphQLSchema } from 'graphql';
import { createLRUCache, createYoga, isAsyncIterable, mapAsyncIterator, processRegularResult, type Plugin } from 'graphql-yoga';
import type { Log } from '../log.ts';
import { spoolName } from '../spool.ts';
import { useCharge, type Charge } from './charging.ts';
import { useDocumentRules, useReferenceExecutor, type DocumentLimits } from './document-rules.ts';
import { presentResult, refusal } from './errors.ts';
import { bodyFault } from './guard.ts';
import { maxRequestBytes, receiveMultipart, type MultipartLimits } from './multipart.ts';
import type { DocumentParameters, FindDocument } from './persisted-operations.ts';

// Documents are kept whole; together with their length this bounds what strangers can make us keep.
const cachedDocuments = 256;

/** One HTTP request on its way through, or one operation on a socket. */
export interface Visit<Context> {
  requestId: string;
  /** Asked for the first time before an upload is read, so that only viewers can fill the disk. */
  viewerContext: () => Promise<Context>;
  /** Called when the answer is a stream, which may go on for days. */
  onStream?: (context: Context) => void;
  /** The folder of this request's uploads, once there is one. */
  spool?: string;
}
export interface ServerContext<Context> {
  req?: IncomingMessage;
  res?: ServerResponse;
  visit: Visit<Context>;
}

/** Asked before anything of an operation runs, over HTTP, SSE and sockets alike; throws `UserError` to refuse it as a whole. */
export type Admit<Context> = (operation: ExecutionArgs, context: Context) => void | Promise<void>;

export interface GraphqlOptions<Context> {
  schema: GraphQLSchema;
  log: Log;
  /** The folder for the uploads of requests. */
  spool: string;
  uploads: MultipartLimits;
  documents: DocumentLimits;
  /** Where only operations of a manifest are answered. */
  findDocument?: FindDocument | undefined;
  admit: Admit<Context>;
  charge?: Charge<Context> | undefined;
}

export type Graphql<Context extends object> = ReturnType<typeof createGraphql<Context>>;

/** GraphQL itself: the same parser, rules, executor and error sentences for HTTP, SSE and sockets. */
export function createGraphql<Context extends object>({ schema, log, spool, uploads, documents, findDocument, admit, charge }: GraphqlOptions<Context>) {
  return createYoga<ServerContext<Context>, Context>({
    schema,
    context: ({ visit }) => visit.viewerContext(),
    graphqlEndpoint: '/graphql',
    logging: false,
    cors: false,
    graphiql: false,
    landingPage: false,
    multipart: false,
    maskedErrors: false,
    // Its counting stream costs a third of every request; `bodyFault` asks Content-Length, to which Node's parser holds the client.
    maxRequestBodySize: false,
    parserAndValidationCache: { documentCache: createLRUCache({ max: cachedDocuments }), errorCache: createLRUCache({ max: cachedDocuments }) },
    plugins: [
      useReferenceExecutor(documents), ...(charge ? [useCharge(charge)] : []), useAdmission(admit),
      useFrontDoor(spool, uploads), ...(findDocument ? [useManifest(findDocument)] : []), useDocumentRules(documents), useAcceptableAnswers(), usePresentedErrors(log), useStreamNotice(), useSpoolRemoval(log),
    ],
  });
}

function useAdmission<Context>(admit: Admit<Context>): Plugin {
  const ask = async (args: ExecutionArgs, refuse: (result: ExecutionResult) => void) => {
    try {
      await admit(args, args.contextValue as Context);
    } catch (error) {
      if (!(error instanceof GraphQLError)) throw error;
      refuse({ errors: [error] });
    }
  };
  return {
    onExecute: ({ args, setResultAndStopExecution }) => ask(args, setResultAndStopExecution),
    onSubscribe: ({ args, setResultAndStopExecution }) => ask(args, setResultAndStopExecution),
  };
}

type FrontDoorPlugin = Plugin<object, ServerContext<object>>;

/** Refusals by header, and uploads read as a stream in place of Yoga's parser, which holds every file in memory. */
function useFrontDoor(spool: string, limits: MultipartLimits): FrontDoorPlugin {
  return {
    async onRequestParse({ request, serverContext: { req, visit }, requestParser, setRequestParser }) {
      if (!req) return undefined;
      const fault = bodyFault(req, maxRequestBytes(limits));
      if (fault) throw fault;
      // Before a word is read: strangers make no work.
      await visit.viewerContext();
      if (request.method !== 'POST' || !/^multipart\/form-data\b/i.test(req.headers['content-type'] ?? '')) {
        if (request.method === 'POST' && !requestParser) throw refusal(415, 'INVALID_INPUT', `Expected the header Content-Type: application/json but received ${quoted(req.headers['content-type'])}. Send JSON such as {"query": "…", "variables": {…}}; files go as multipart/form-data.`);
        if (requestParser) setRequestParser((body) => Promise.resolve(body).then(requestParser).catch(throwUnreadable));
        return { onRequestParseDone: ({ requestParserResult }) => refuseBatch(requestParserResult) };
      }
      setRequestParser(async () => {
        visit.spool = join(spool, spoolName());
        await mkdir(visit.spool, { recursive: true });
        return receiveMultipart(req, visit.spool, limits);
      });
      return undefined;
    },
  };
}

/** One request is one operation: it is counted, priced and answered by itself. */
function refuseBatch(parameters: unknown): void {
  if (Array.isArray(parameters)) throw refusal(400, 'INVALID_INPUT', `Expected one operation in a request but received a list of ${parameters.length}. Send each in a request of its own, or all of them on a socket.`);
}

/** Sockets ask by themselves: they have no parameters of Yoga's. */
function useManifest(findDocument: FindDocument): Plugin {
  return {
    onParams({ params, setParams }) {
      const { documentId, ...rest } = params as typeof params & DocumentParameters;
      setParams({ ...rest, query: findDocument({ ...rest, documentId }) });
    },
  };
}

// Yoga lets the fault of JSON.parse out of a query string or form as if it were its own.
function throwUnreadable(error: unknown): never {
  if (error instanceof SyntaxError) throw refusal(400, 'INVALID_INPUT', `Expected JSON in "variables" and "extensions" but could not parse it: ${error.message}`);
  throw error;
}

/** What cannot be written as the client wants it is an error in JSON. */
function useAcceptableAnswers(): FrontDoorPlugin {
  return {
    onResultProcess({ request, result, resultProcessor, acceptableMediaTypes, setResult, setResultProcessor }) {
      if (resultProcessor) return undefined;
      setResultProcessor(processRegularResult as NonNullable<typeof resultProcessor>, 'application/json');
      const isStream = isAsyncIterable(result);
      if (!isStream && !('data' in result)) return undefined;
      const types = [...new Set(acceptableMediaTypes)].join(' or ') || 'application/json';
      setResult({ errors: [refusal(406, 'INVALID_INPUT', `Expected the header Accept to allow ${types} for ${isStream ? 'a subscription' : 'the answer'} but received ${quoted(request.headers.get('accept'))}`)] });
      // Nobody will read it.
      return isStream ? result[Symbol.asyncIterator]().return?.().then(() => {}) : undefined;
    },
  };
}

const quoted = (header: string | null | undefined) => (header ? `"${header.slice(0, 80)}"` : 'none');

function usePresentedErrors(log: Log): FrontDoorPlugin {
  return {
    onResultProcess({ result, setResult, serverContext: { visit } }) {
      const present = <Result extends object>(one: Result): Result => presentResult(one, visit.requestId, log);
      setResult(isAsyncIterable(result) ? mapAsyncIterator(result, present) : Array.isArray(result) ? result.map(present) : present(result));
    },
  };
}

/** Told by the answer and not by Accept, which may ask for anything, or be left out. */
function useStreamNotice(): FrontDoorPlugin {
  return {
    onResultProcess({ result, serverContext: { visit } }) {
      return isAsyncIterable(result) ? visit.viewerContext().then((context) => visit.onStream?.(context)) : undefined;
    },
  };
}

/** Uploads go when the answer is out, or nobody is left to read it; never while a resolver still runs. */
function useSpoolRemoval(log: Log): FrontDoorPlugin {
  return {
    onResultProcess({ serverContext: { res, visit } }) {
      const { spool } = visit;
      if (!spool || !res) return;
      const remove = () => {
        rm(spool, { recursive: true, force: true }).catch((error: unknown) => log.error({ requestId: visit.requestId, err: error }, 'An upload could not be removed'));
      };
      if (res.closed) remove();
      else res.once('close', remove);
    },
  };
}
