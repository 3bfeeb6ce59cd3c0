import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { execute, GraphQLError, parse, subscribe, type ExecutionArgs, type ExecutionResult, type GraphQLSchema } from 'graphql';
import { createLRUCache, createYoga, isAsyncIterable, mapAsyncIterator, type Plugin } from 'graphql-yoga';
import type { Log } from '../log.ts';
import { useCharge, type Charge } from './charging.ts';
import { presentResult, refusal } from './errors.ts';
import { bodyFault } from './guard.ts';
import { maxRequestBytes, receiveMultipart, type MultipartLimits } from './multipart.ts';

const maxTokens = 2_000;
const maxQueryCharacters = 64_000;
// Documents are kept whole; together with the length above this bounds what strangers can make us keep.
const cachedDocuments = 256;

/** One HTTP request on its way through, or one operation on a socket. */
export interface Visit<Context> {
  requestId: string;
  /** Asked for the first time before an upload is read, so that only viewers can fill the disk. */
  viewerContext: () => Promise<Context>;
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

/** GraphQL itself: the same parser, rules, executor and error sentences for HTTP, SSE and sockets. */
export function createGraphql<Context extends object>(schema: GraphQLSchema, log: Log, spool: string, limits: MultipartLimits, admit: Admit<Context>, charge?: Charge<Context>) {
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
    plugins: [useReferenceExecutor, ...(charge ? [useCharge(charge)] : []), useAdmission(admit), useFrontDoor(spool, limits), useParserLimits(), usePresentedErrors(log), useSpoolRemoval(log)],
  });
}

/** graphql-js itself: as fast as Yoga's own executor, and answers have their fields in the order of the query, as the specification asks. */
const useReferenceExecutor: Plugin = {
  onExecute: ({ setExecuteFn }) => setExecuteFn(execute),
  onSubscribe: ({ setSubscribeFn }) => setSubscribeFn(subscribe),
};

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
      if (!req) return;
      const fault = bodyFault(req, maxRequestBytes(limits));
      if (fault) throw fault;
      // Before a word is read: strangers make no work.
      await visit.viewerContext();
      if (request.method !== 'POST' || !/^multipart\/form-data\b/i.test(req.headers['content-type'] ?? '')) {
        if (requestParser) setRequestParser((body) => Promise.resolve(body).then(requestParser).catch(throwUnreadable));
        return;
      }
      setRequestParser(async () => {
        visit.spool = join(spool, spoolName());
        await mkdir(visit.spool, { recursive: true });
        return receiveMultipart(req, visit.spool, limits);
      });
    },
  };
}

// Yoga lets the fault of JSON.parse out of a query string or form as if it were its own.
function throwUnreadable(error: unknown): never {
  if (error instanceof SyntaxError) throw refusal(400, 'INVALID_INPUT', `Expected JSON in "variables" and "extensions" but could not parse it: ${error.message}`);
  throw error;
}

// Thousands of nested braces overflow the parser's stack; they are tokens first.
function useParserLimits(): FrontDoorPlugin {
  return {
    onParse({ params, setParseFn }) {
      const { length } = typeof params.source === 'string' ? params.source : params.source.body;
      if (length > maxQueryCharacters) throw refusal(400, 'QUERY_TOO_COSTLY', `Expected a query of at most ${maxQueryCharacters} characters but received ${length}. Move values into variables.`);
      setParseFn((source, options) => parse(source, { ...options, maxTokens }));
    },
  };
}

function usePresentedErrors(log: Log): FrontDoorPlugin {
  return {
    onResultProcess({ result, setResult, serverContext: { visit } }) {
      const present = <Result extends object>(one: Result): Result => presentResult(one, visit.requestId, log);
      setResult(isAsyncIterable(result) ? mapAsyncIterator(result, present) : Array.isArray(result) ? result.map(present) : present(result));
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

const spoolName = () => `${hostname()}.${process.pid}.${randomUUID()}`;

/** Removes what requests left behind when their process died; folders of living processes stay, since several may share the disk. */
export async function emptySpool(spool: string): Promise<void> {
  await mkdir(spool, { recursive: true });
  for (const name of await readdir(spool)) {
    const [, host, pid] = /^(.*)\.(\d+)\.[^.]+$/.exec(name) ?? [];
    const folder = join(spool, name);
    // Of processes on other machines only age tells: no request lasts a day.
    const isLeft = host === hostname() ? Number(pid) === process.pid || !isAlive(Number(pid)) : (await stat(folder)).mtimeMs < Date.now() - 86_400_000;
    if (isLeft) await rm(folder, { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
