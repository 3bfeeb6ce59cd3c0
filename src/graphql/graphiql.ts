import type { IncomingMessage, ServerResponse } from 'node:http';
export function createGraphiql(_options: { needsToken: boolean }) {
  return { wants: (_request: IncomingMessage) => false, send: async (_request: IncomingMessage, _response: ServerResponse) => {} };
}
