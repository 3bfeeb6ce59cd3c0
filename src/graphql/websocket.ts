import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import process from 'node:process';
import type { ExecutionArgs, ExecutionResult, GraphQLError } from 'graphql';
import { CloseCode, handleProtocols, makeServer, type Context as Connection } from 'graphql-ws';
import { WebSocketServer, type RawData, type WebSocket } from 'ws';
import { UserError } from '../errors.ts';
import type { Log } from '../log.ts';
import { presentError, presentResult } from './errors.ts';
import { requestIdOf } from './guard.ts';
import { asGraphQLError, prepareOperation, type Engine, type OperationParameters } from './operation.ts';
import type { FindDocument } from './persisted-operations.ts';
import type { Credentials } from './server.ts';

const maxOperations = 100;
const maxMessageBytes = 256 * 1024;
const pingMs = 12_000;
const mostBufferedBytes = 64_000;
/** https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1 and the registry behind it: both are codes after which clients come again. */
const goingAway = 1001;
const tryAgainLater = 1013;

export interface SocketOptions<Context extends object> {
  server: Server;
  log: Log;
  /** The same parser, rules and executor as over HTTP, for one operation. */
  engine: (requestId: string, context: Context) => Engine;
  context: (credentials: Credentials) => Promise<Context>;
  chargeRequest: (context: Context) => Promise<void>;
  addressOf: (request: IncomingMessage) => string;
  findDocument: FindDocument | undefined;
  expiresAt: ((context: Context) => Date | undefined) | undefined;
  watch: ((context: Context, end: (reason: string) => void) => () => void) | undefined;
  /** False refuses the upgrade. */
  admits: (request: IncomingMessage) => boolean;
  initTimeoutMs: number;
}

interface Visit<Context> {
  socket: WebSocket;
  requestId: string;
  address: string;
  context?: Context;
}
type Prepared = ExecutionArgs & { engine: Engine };

/** graphql-ws on `/graphql`. Whatever is wrong with one operation is answered as its error; the socket and its other operations go on. */
export function acceptSockets<Context extends object>(options: SocketOptions<Context>) {
  const { server, log, engine, context, chargeRequest, addressOf, findDocument, expiresAt, watch, admits, initTimeoutMs } = options;
  const sockets = new WebSocketServer({ noServer: true, maxPayload: maxMessageBytes, handleProtocols: (protocols) => handleProtocols(protocols) });
  const running = new Set<Promise<unknown>>();

  async function connect(socket: Connection<Record<string, unknown>, Visit<Context>>): Promise<boolean> {
    const visit = socket.extra;
    const { authorization, Authorization } = socket.connectionParams ?? {};
    const token = authorization ?? Authorization;
    try {
      visit.context = await context({ authorization: typeof token === 'string' ? token : undefined, requestId: visit.requestId, transport: 'websocket', address: visit.address });
    } catch (error) {
      const refused = error instanceof UserError && (error.code === 'UNAUTHENTICATED' || error.code === 'FORBIDDEN');
      // A client takes 4500 for final; a database that is down for a moment is not.
      if (refused) visit.socket.close(CloseCode.Forbidden, closeReason(error.message));
      else visit.socket.close(tryAgainLater, closeReason(presentError(error, visit.requestId, log).message));
      return false;
    }
    const end = expiresAt?.(visit.context);
    if (end) closeAt(visit.socket, end);
    const unwatch = watch?.(visit.context, (reason) => visit.socket.close(CloseCode.Forbidden, closeReason(reason)));
    if (unwatch) visit.socket.once('close', unwatch);
    return true;
  }

  async function prepare(socket: Connection<Record<string, unknown>, Visit<Context>>, payload: OperationParameters): Promise<Prepared | readonly GraphQLError[]> {
    try {
      const { context: viewerContext, requestId } = socket.extra;
      if (!viewerContext) throw new Error('An operation came before the socket was acknowledged');
      if (Object.keys(socket.subscriptions).length > maxOperations) {
        throw new UserError('RATE_LIMITED', `Expected at most ${maxOperations} operations at a time on one socket but received one more. Complete some, or subscribe to all jobs at once.`);
      }
      await chargeRequest(viewerContext);
      const own = engine(requestId, viewerContext);
      const prepared = await prepareOperation(own, payload, findDocument);
      return 'document' in prepared ? { ...prepared, engine: own } : prepared;
    } catch (error) {
      return [asGraphQLError(error)];
    }
  }

  function track<Result>(work: Result): Result {
    const settled = Promise.resolve(work).catch(() => {}).finally(() => running.delete(settled));
    running.add(settled);
    return work;
  }

  const protocol = makeServer<Record<string, unknown>, Visit<Context>>({
    connectionInitWaitTimeout: initTimeoutMs,
    onConnect: connect,
    onSubscribe: (socket, _id, payload) => prepare(socket, payload),
    execute: (args) => track((args as Prepared).engine.execute(args)) as ExecutionResult,
    subscribe: (args) => (args as Prepared).engine.subscribe(args) as ExecutionResult,
    onNext: ({ extra }, _id, _payload, _args, result) => {
      if (!result.errors) return result;
      const { errors, ...rest } = presentResult(result, extra.requestId, log);
      return { ...rest, ...(errors && { errors: errors.map(withoutHttp) }) };
    },
    onError: ({ extra }, _id, _payload, errors) => errors.map((error) => withoutHttp(presentError(error, extra.requestId, log))),
  });

  sockets.on('connection', (socket: WebSocket, request: IncomingMessage) => {
    const requestId = requestIdOf(request);
    // ws closes the socket by itself after a fault such as a frame that is too large (1009).
    socket.on('error', (error) => log.debug({ requestId, err: error }, 'A socket broke the protocol'));
    keepAlive(socket);
    const closed = protocol.opened(
      {
        protocol: socket.protocol,
        send: (text) => send(socket, request.socket, text),
        close: (code, reason) => socket.close(code, reason),
        onMessage: (handle) => socket.on('message', (data: RawData) => {
          handle(String(data)).catch((error: unknown) => {
            if (socket.readyState !== socket.OPEN) return;
            log.error({ requestId, err: error }, 'A socket met an unexpected error');
            socket.close(CloseCode.InternalServerError, closeReason(`Something went wrong on our side. Quote this request id: ${requestId}`));
          });
        }),
      },
      { socket, requestId, address: addressOf(request) },
    );
    socket.once('close', (code, reason) => {
      void track(closed(code, String(reason)).catch((error: unknown) => log.error({ requestId, err: error }, 'A closed socket left a subscription behind')));
    });
  });

  server.on('upgrade', (request, stream, head) => {
    stream.on('error', () => stream.destroy());
    const path = request.url?.split('?')[0];
    if (path !== '/graphql') return void stream.end('HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n');
    if (!admits(request)) return void stream.end('HTTP/1.1 403 Forbidden\r\nconnection: close\r\n\r\n');
    sockets.handleUpgrade(request, stream, head, (socket) => sockets.emit('connection', socket, request));
  });

  return {
    /** Lets queries and mutations end, then sends every client away with a code that makes it come again elsewhere. */
    async close(): Promise<void> {
      await Promise.all(running);
      for (const socket of sockets.clients) socket.close(goingAway, 'The server is stopping');
    },
    /** After the last socket is closed: their subscriptions have let go of the database, which may be closed next. */
    async ended(): Promise<void> {
      await Promise.all(running);
    },
    terminate(): void {
      for (const socket of sockets.clients) socket.terminate();
    },
  };
}

/** Answering only when the bytes are on their way is what bounds a slow consumer: with so many waiting, its next event is not asked for before. */
async function send(socket: WebSocket, stream: Socket, text: string): Promise<void> {
  if (socket.readyState !== socket.OPEN) return;
  writeTogether(stream);
  if (socket.bufferedAmount < mostBufferedBytes) return socket.send(text);
  await new Promise<void>((resolve, reject) => socket.send(text, (error) => (error ? reject(error) : resolve())));
}

/** What goes out in one turn of the event loop goes in one write, which costs more than the frames. */
function writeTogether(stream: Socket): void {
  if (stream.writableCorked > 0) return;
  stream.cork();
  process.nextTick(() => stream.uncork());
}

/** A client that does not answer a ping is gone, whatever the network says. */
function keepAlive(socket: WebSocket): void {
  let isAlive = true;
  const timer = setInterval(() => {
    if (!isAlive) return socket.terminate();
    isAlive = false;
    socket.ping();
  }, pingMs);
  timer.unref();
  socket.on('pong', () => { isAlive = true; }).once('close', () => clearInterval(timer));
}

function closeAt(socket: WebSocket, end: Date): void {
  // Above 2^31 ms Node fires at once; no socket lives that long.
  const timer = setTimeout(() => socket.close(CloseCode.Forbidden, 'The credential has expired'), Math.min(end.getTime() - Date.now(), 2 ** 31 - 1));
  timer.unref();
  socket.once('close', () => clearTimeout(timer));
}

/** A close frame holds 123 bytes of reason. */
const closeReason = (message: string) => Buffer.from(message).subarray(0, 120).toString().replace(/\uFFFD+$/, '');

function withoutHttp(error: GraphQLError) {
  const { extensions: { http: _, ...extensions } = {}, ...rest } = error.toJSON();
  return { ...rest, ...(Object.keys(extensions).length > 0 && { extensions }) };
}
