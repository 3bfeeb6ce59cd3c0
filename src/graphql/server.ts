import type { IncomingMessage, ServerResponse } from 'node:http';
import type { GraphQLSchema } from 'graphql';
import type { Config } from '../config.ts';
import type { Log } from '../log.ts';

/** What a request, or a socket at its start, says about who is asking. */
export interface Credentials {
  authorization: string | undefined;
  requestId: string;
  transport: 'http' | 'websocket';
}

/** Answers the request and says true, or leaves it alone and says false. */
export type Route = (request: IncomingMessage, response: ServerResponse) => Promise<boolean>;

export interface ServerOptions<Context extends object> {
  config: Config;
  log: Log;
  schema: GraphQLSchema;
  /** Called once per HTTP request and once per socket; throws `UserError` UNAUTHENTICATED for a credential that is not good. */
  context: (credentials: Credentials) => Promise<Context>;
  /** When the credential behind a context runs out; its subscriptions end then. */
  expiresAt?: (context: Context) => Date | undefined;
  /** Tried in order before anything else. */
  routes?: Route[];
  /** The components that `/health/ready` reports, one line each. */
  health?: () => Promise<Record<string, { ok: boolean; detail?: string }>>;
}

export interface RunningServer {
  url: string;
  port: number;
  /** Takes no new requests, lets running ones end for so long, then cuts them off. */
  close(timeoutMs: number): Promise<void>;
}

export async function startServer<Context extends object>(_options: ServerOptions<Context>): Promise<RunningServer> {
  throw new Error('Not listening yet');
}
