import type { IncomingMessage, ServerResponse } from 'node:http';
import { randomUUID } from 'node:crypto';
import { BlockList, isIP } from 'node:net';
import type { GraphQLError } from 'graphql';
import { needsCredential, type Config } from '../config.ts';
import { refusal } from './errors.ts';

/** Bytes of a JSON request, and of each text field of a multipart one, at the most. */
export const maxJsonBytes = 1_000_000;

const csrfHeaders = ['x-graphql-yoga-csrf', 'apollo-require-preflight', 'graphql-require-preflight'];
const formTypes = ['multipart/form-data', 'application/x-www-form-urlencoded'];

/** The id a request goes by in answers and logs: the client's own where it is a sane one. */
export function requestIdOf(request: IncomingMessage): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && /^[\w.:-]{1,100}$/.test(given) ? given : randomUUID();
}

/** Who may come in, by the addresses that browsers put into requests. */
export function createGuard(config: Pick<Config, 'PUBLIC_URL' | 'CDN_BASE_URL' | 'CORS_ORIGINS' | 'JWT_SECRET' | 'JWT_JWKS_URL' | 'API_KEYS' | 'TRUSTED_PROXIES'>) {
  const publicUrl = new URL(config.PUBLIC_URL);
  const localNames = ['localhost', '127.0.0.1', '[::1]', publicUrl.hostname, ...(config.CDN_BASE_URL ? [new URL(config.CDN_BASE_URL).hostname] : [])];
  const takesAnyHost = needsCredential(config);

  const proxies = networks(config.TRUSTED_PROXIES);
  const isProxy = (address: string) => isIP(address) > 0 && proxies.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');

  return {
    /** Who is at the other end: behind our proxies the last address that none of them has. */
    addressOf(request: IncomingMessage): string {
      const forwarded = String(request.headers['x-forwarded-for'] ?? '').split(',').map((address) => address.trim());
      let address = plainAddress(request.socket.remoteAddress ?? '');
      for (let next = forwarded.pop(); next && isProxy(address); next = forwarded.pop()) address = plainAddress(next);
      return address;
    },

    /**
     * Without credentials loopback is the only wall, and a foreign page gets over it by giving its own name our address
     * (DNS rebinding). Its name stays in the Host header.
     */
    knowsHost(request: IncomingMessage): boolean {
      const host = request.headers.host;
      return takesAnyHost || !host || localNames.includes(host.replace(/:\d*$/, '').toLowerCase());
    },

    /** A program sends no Origin; a page must be ours or in CORS_ORIGINS. */
    knowsOrigin(request: IncomingMessage): boolean {
      const { origin, host } = request.headers;
      if (origin === undefined || origin === publicUrl.origin || config.CORS_ORIGINS.includes(origin)) return true;
      return URL.canParse(origin) && new URL(origin).host === host;
    },

    /** Headers of every answer, of all routes. Cookies play no part here, so credentials are never allowed across origins. */
    setHeaders(request: IncomingMessage, response: ServerResponse, requestId: string): void {
      response.setHeader('x-request-id', requestId);
      response.setHeader('x-content-type-options', 'nosniff');
      response.setHeader('referrer-policy', 'no-referrer');
      // What may be kept says so itself.
      response.setHeader('cache-control', 'no-store');
      response.setHeader('content-security-policy', "frame-ancestors 'none'");
      if (config.CORS_ORIGINS.length === 0) return;
      response.setHeader('vary', 'Origin');
      const { origin } = request.headers;
      if (origin === undefined || !config.CORS_ORIGINS.includes(origin)) return;
      response.setHeader('access-control-allow-origin', origin);
      response.setHeader('access-control-expose-headers', 'x-request-id, retry-after, etag, content-disposition, content-range');
      if (request.method !== 'OPTIONS') return;
      response.setHeader('access-control-allow-methods', 'GET, HEAD, POST, PUT, PATCH, DELETE');
      response.setHeader('access-control-allow-headers', request.headers['access-control-request-headers'] ?? 'content-type');
      response.setHeader('access-control-max-age', '600');
    },
  };
}

/** IPv4 as a socket for both protocols tells it. */
const plainAddress = (address: string) => address.replace(/^::ffff:(?=\d+\.)/i, '');

function networks(texts: readonly string[]): BlockList {
  const list = new BlockList();
  for (const text of texts) {
    const [address = '', length] = text.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (length === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(length), family);
  }
  return list;
}

/** Refuses a body by its headers, before a byte of it is read; undefined where there is nothing against it. */
export function bodyFault(request: IncomingMessage, maxMultipartBytes: number): GraphQLError | undefined {
  if (request.method !== 'POST') return undefined;
  const type = (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
  const encoding = request.headers['content-encoding'];
  if (encoding && encoding !== 'identity') return refusal(415, 'INVALID_INPUT', `Expected a body without Content-Encoding but received "${encoding}". Send it uncompressed.`);

  // Browsers send forms to foreign origins without asking; a header of one's own makes them ask.
  if (formTypes.includes(type) && !csrfHeaders.some((name) => name in request.headers)) {
    return refusal(403, 'FORBIDDEN', `Expected one of the headers ${csrfHeaders.join(', ')} with a form but received none. Add one, with any value: it proves that no foreign page sent the form.`);
  }

  const length = request.headers['content-length'];
  const isMultipart = type === 'multipart/form-data';
  const limit = isMultipart ? maxMultipartBytes : maxJsonBytes;
  if (length === undefined && !isMultipart) return refusal(411, 'INVALID_INPUT', 'Expected the header Content-Length but received none');
  if (Number(length) > limit) return refusal(413, 'TOO_LARGE', `Expected at most ${limit} bytes in one request but received ${length}`);
  return undefined;
}

/**
 * Ends a request whose body comes slower than 500 bytes a second: a slow line gets all the time it needs, a client that
 * only holds the connection does not.
 */
export function watchBody(request: IncomingMessage, response: ServerResponse, windowMs: number): void {
  if (request.complete) return;
  let seen = request.socket.bytesRead;
  const timer = setInterval(() => {
    if (request.complete) return clearInterval(timer);
    const arrived = request.socket.bytesRead - seen;
    seen = request.socket.bytesRead;
    // Bytes that wait here are ours to read: then we are the slow side.
    if (arrived >= (windowMs / 1000) * 500 || request.readableLength > 0) return;
    clearInterval(timer);
    if (!response.headersSent) {
      const message = 'Expected the rest of the body within the time limit but it came too slowly or not at all';
      response.writeHead(408, { 'content-type': 'application/json', connection: 'close' });
      response.end(JSON.stringify({ errors: [{ message, extensions: { code: 'INVALID_INPUT' } }] }));
    }
    setTimeout(() => request.socket.destroy(), 200).unref();
  }, windowMs);
  timer.unref();
  const done = () => clearInterval(timer);
  request.once('end', done).once('close', done);
}
