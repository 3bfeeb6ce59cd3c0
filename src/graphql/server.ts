import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { GraphQLSchema } from 'graphql';
import { needsCredential, type Config } from '../config.ts';
import type { Log } from '../log.ts';
import { emptySpool, spoolOf } from '../spool.ts';
import { createGraphiql } from './graphiql.ts';
import type { Charge } from './charging.ts';
import { createGuard, maxJsonBytes, requestIdOf, watchBody } from './guard.ts';
import { readPersistedOperations } from './persisted-operations.ts';
import { createPlainJson } from './plain-json.ts';
import { acceptSockets } from './websocket.ts';
import { createGraphql, type Admit, type Visit } from './yoga.ts';

/** What a request, or a socket at its start, says about who is asking. */
export interface Credentials {
  authorization: string | undefined;
  requestId: string;
  transport: 'http' | 'websocket';
  /** Of the client, as far as it is known: behind a proxy that nobody trusts it is the proxy's. */
  address: string;
}

/** Answers the request and says true, or leaves it alone and says false. */
export type Route = (request: IncomingMessage, response: ServerResponse) => Promise<boolean>;

/** The components of the server and how they are. */
export type Health = Record<string, { ok: boolean; detail?: string }>;

/** How long the door waits. A body has no total limit, only a least speed, which is looked at once per window. */
const patience = { headersMs: 20_000, bodyWindowMs: 20_000, initMs: 10_000, refusedBodyMs: 5_000 };

export interface ServerOptions<Context extends object> {
  config: Config;
  log: Log;
  schema: GraphQLSchema;
  /** Called once per HTTP request and once per socket; throws `UserError` UNAUTHENTICATED for a credential that is not good. */
  context: (credentials: Credentials) => Promise<Context>;
  admit?: Admit<Context>;
  /** Called for each request and each operation on a socket, before its text is read; throws what refuses it. */
  chargeRequest?: (context: Context) => Promise<void>;
  /** Called before an operation runs. */
  chargeOperation?: Charge<Context>;
  /** When the credential behind a context runs out; its subscriptions end then. */
  expiresAt?: (context: Context) => Date | undefined;
  /** Called for each socket and stream; calls `end` with the reason when it must not go on, because its credential was revoked for instance. Gives back what stops watching. */
  watch?: (context: Context, end: (reason: string) => void) => () => void;
  /** Tried in order before anything else. */
  routes?: Route[];
  /** The components that `/health/ready` reports, one line each. */
  health?: () => Promise<Health>;
  timeouts?: Partial<typeof patience>;
}

export interface RunningServer {
  url: string;
  port: number;
  /** Takes no new requests, lets running ones end for so long, then cuts them off. */
  close(timeoutMs: number): Promise<void>;
}

/** Opens the front door: GraphQL over HTTP, SSE and WebSocket at `/graphql`, GraphiQL, health, and the routes given. */
export async function startServer<Context extends object>(options: ServerOptions<Context>): Promise<RunningServer> {
  const { config, log, schema, context, admit = () => {}, chargeRequest = async () => {}, chargeOperation, expiresAt, watch, routes = [], health = async () => ({}) } = options;
  const wait = { ...patience, ...options.timeouts };
  const guard = createGuard(config);
  const spool = spoolOf(config.DATA_DIR);
  await emptySpool(spool);
  const findDocument = config.PERSISTED_OPERATIONS ? await readPersistedOperations(config.PERSISTED_OPERATIONS, schema) : undefined;
  const uploads = { maxFiles: config.UPLOAD_MAX_FILES, maxFileBytes: config.UPLOAD_MAX_BYTES, maxFieldBytes: maxJsonBytes };
  const graphql = createGraphql<Context>({ schema, log, spool, uploads, documents: config, findDocument, admit, charge: chargeOperation });
  const answerPlainJson = createPlainJson<Context>({ graphql, log, findDocument });
  const graphiql = config.GRAPHIQL ? createGraphiql({ needsToken: needsCredential(config) }) : undefined;
  const streams = new Set<ServerResponse>();
  let isStopping = false;

  async function answer(request: IncomingMessage, response: ServerResponse, requestId: string): Promise<void> {
    if (!guard.knowsHost(request)) return sendError(response, 421, 'FORBIDDEN', 'Expected this server under its own name (localhost, or PUBLIC_URL) but received another in the header Host. Set PUBLIC_URL, or JWT_SECRET, JWT_JWKS_URL or API_KEYS to let viewers come by any name.');
    if (request.method === 'OPTIONS') return void response.writeHead(204).end();
    for (const route of routes) if (await route(request, response)) return;

    const path = request.url?.split('?')[0];
    if (path === '/health/live') return sendJson(response, 200, { ok: true });
    if (path === '/health/ready') return sendHealth(response, requestId);
    if (path === '/' && graphiql) return void response.writeHead(302, { location: '/graphql' }).end();
    if (path !== '/graphql') return sendError(response, 404, 'NOT_FOUND', 'There is nothing at this address. GraphQL is at /graphql.');
    if (graphiql?.wants(request)) return graphiql.send(request, response);
    const visit = openVisit(request, response, requestId);
    if (!(await answerPlainJson(request, response, visit))) await graphql(request, response, { visit });
  }

  function openVisit(request: IncomingMessage, response: ServerResponse, requestId: string): Visit<Context> {
    let asked: Promise<Context> | undefined;
    const ask = async () => {
      const found = await context({ authorization: request.headers.authorization, requestId, transport: 'http', address: guard.addressOf(request) });
      await chargeRequest(found);
      return found;
    };
    const onStream = (found: Context) => {
      const end = () => request.socket.destroySoon();
      if (isStopping || response.closed) return end();
      const expiry = expiresAt?.(found);
      const timer = expiry && setTimeout(end, Math.min(expiry.getTime() - Date.now(), 2 ** 31 - 1));
      const unwatch = watch?.(found, end);
      streams.add(response);
      response.once('close', () => {
        clearTimeout(timer);
        unwatch?.();
        streams.delete(response);
      });
    };
    return { requestId, viewerContext: () => (asked ??= ask()), onStream };
  }

  async function sendHealth(response: ServerResponse, requestId: string): Promise<void> {
    const components = await health().catch((error: unknown): Health => {
      log.error({ requestId, err: error }, 'The components could not be asked for their health');
      return { server: { ok: false, detail: 'The components could not be asked; the log says why' } };
    });
    const report: Health = isStopping ? { ...components, server: { ok: false, detail: 'Stopping' } } : components;
    sendJson(response, Object.values(report).every(({ ok }) => ok) ? 200 : 503, report);
  }

  // requestTimeout counts a whole request: 25 photographs on a slow line would die of it. `watchBody` asks for a least speed instead.
  const server = createServer({ headersTimeout: wait.headersMs, requestTimeout: 0, keepAliveTimeout: 65_000, connectionsCheckingInterval: Math.min(5_000, wait.headersMs) }, (request, response) => {
    const requestId = requestIdOf(request);
    const startedAt = performance.now();
    guard.setHeaders(request, response, requestId);
    if (isStopping) response.setHeader('connection', 'close');
    watchBody(request, response, wait.bodyWindowMs);
    response.once('finish', () => {
      // An answer before the end of the body is a refusal: the client may finish its sentence, but not for ever.
      if (!request.complete) setTimeout(() => { if (!request.complete) request.socket.destroy(); }, wait.refusedBodyMs).unref();
    }).once('close', () => {
      log.debug({ requestId, method: request.method, path: request.url?.split('?')[0], status: response.statusCode, durationMs: Math.round(performance.now() - startedAt) }, 'Answered a request');
      if (isStopping) setImmediate(() => server.closeIdleConnections());
    });
    answer(request, response, requestId).catch((error: unknown) => {
      log.error({ requestId, err: error }, 'A request met an unexpected error');
      if (response.headersSent) response.destroy();
      else sendError(response, 500, 'INTERNAL', `Something went wrong on our side. Quote this request id: ${requestId}`);
    });
  });

  const sockets = acceptSockets<Context>({
    server, log, context, chargeRequest, expiresAt, watch,
    addressOf: guard.addressOf, findDocument,
    // A context of its own per operation: loaders cache by context, and a socket may live for days.
    engine: (requestId, viewerContext) => graphql.getEnveloped({ visit: { requestId, viewerContext: async () => ({ ...viewerContext }) } }),
    admits: (request) => !isStopping && guard.knowsHost(request) && guard.knowsOrigin(request),
    initTimeoutMs: wait.initMs,
  });

  server.listen(config.PORT, config.HOST);
  await once(server, 'listening').catch((error: NodeJS.ErrnoException) => { throw cannotListen(config, error); });
  const { port } = server.address() as AddressInfo;
  const host = ['0.0.0.0', '::'].includes(config.HOST) ? 'localhost' : config.HOST.includes(':') ? `[${config.HOST}]` : config.HOST;

  return {
    url: `http://${host}:${port}`,
    port,
    async close(timeoutMs) {
      isStopping = true;
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      // No `complete`: it would tell the client that its job's events are over. A cut stream makes it come again, to another process.
      for (const response of streams) response.socket?.destroySoon();
      const deadline = setTimeout(() => {
        sockets.terminate();
        server.closeAllConnections();
      }, timeoutMs);
      void sockets.close();
      await closed;
      await sockets.ended();
      clearTimeout(deadline);
    },
  };
}

function cannotListen({ HOST, PORT }: Config, cause: NodeJS.ErrnoException): Error {
  const reasons: Record<string, string> = { EADDRINUSE: 'another program listens there', EACCES: 'this user may not', EADDRNOTAVAIL: 'this machine has no such address' };
  return new Error(`Expected to listen on port ${PORT} of ${HOST} but ${reasons[cause.code ?? ''] ?? cause.message}. Set PORT or HOST to another.`, { cause });
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' }).end(`${JSON.stringify(body, null, 2)}\n`);
}

function sendError(response: ServerResponse, status: number, code: string, message: string): void {
  sendJson(response, status, { errors: [{ message, extensions: { code } }] });
}
