import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { cutOutExample, examples, similarExample, uploadExample, watchExample } from './examples.ts';
import { startScript, uploadBar, uploadBarScript, uploadBarStyle } from './graphiql/upload-bar.ts';

interface Page {
  gzipped: Buffer;
  etag: string;
  contentSecurityPolicy: string;
}

/** GraphiQL with the upload bar, whole in one page: nothing of it comes from another address, so it works without the internet. */
export function createGraphiql(options: { needsToken: boolean }) {
  let page: Promise<Page> | undefined;

  return {
    /** A browser's navigation; programs that GET a query ask for JSON. */
    wants: (request: IncomingMessage): boolean =>
      (request.method === 'GET' || request.method === 'HEAD') && Boolean(request.headers.accept?.includes('text/html')),

    async send(request: IncomingMessage, response: ServerResponse): Promise<void> {
      // Nine megabytes of text are read and compressed when the first person looks, not at every start.
      page ??= renderPage(options);
      const { gzipped, etag, contentSecurityPolicy } = await page;
      response.setHeader('etag', etag).setHeader('cache-control', 'private, no-cache').setHeader('vary', 'Accept, Accept-Encoding').setHeader('content-security-policy', contentSecurityPolicy);
      if (request.headers['if-none-match'] === etag) return void response.writeHead(304).end();
      const takesGzip = /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''));
      const body = takesGzip ? gzipped : await promisify(gunzip)(gzipped);
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'content-length': body.length, ...(takesGzip && { 'content-encoding': 'gzip' }) });
      response.end(request.method === 'HEAD' ? undefined : body);
    },
  };
}

async function renderPage(options: { needsToken: boolean }): Promise<Page> {
  const { renderGraphiQL } = await import('@graphql-yoga/render-graphiql');
  // Options travel as JSON; these two become an object of the page that the token field writes to.
  const liveHeaders = { additionalHeaders: '@headers', connectionParams: '@headers' };
  const graphiql = renderGraphiQL({
    title: 'Darkroom',
    subscriptionsProtocol: 'WS',
    shouldPersistHeaders: false,
    defaultTabs: examples.map(({ query, variables }) => ({ query, variables: JSON.stringify(variables, null, 2) })),
    ...(options.needsToken && Object(liveHeaders)),
  }).replaceAll('"@headers"', 'darkroom.headers');

  const setup = `globalThis.darkroom = ${inScript({ upload: uploadExample, watch: watchExample, similar: similarExample, cutOut: cutOutExample })};${startScript}`;
  // The editor's own code holds the text of other pages: only the first root and the last end of a body are this page's.
  const root = graphiql.indexOf('<div id="root">');
  const end = graphiql.lastIndexOf('</body>');
  const html = `${graphiql.slice(0, root)}<style>${uploadBarStyle}</style>${uploadBar(options)}<script>${setup}</script>${graphiql.slice(root, end)}<script>${uploadBarScript}</script>${graphiql.slice(end)}`;
  return {
    gzipped: await promisify(gzip)(html),
    etag: `"${createHash('sha256').update(html).digest('base64url')}"`,
    contentSecurityPolicy: policyFor(html),
  };
}

/** Only the scripts that are on the page may run, and nothing may be fetched from elsewhere; the editor needs its workers as blobs. */
function policyFor(html: string): string {
  const scripts = [...html.matchAll(/<script>([\s\S]*?)<\/script>/g)].map(([, script]) => `'sha256-${createHash('sha256').update(script ?? '').digest('base64')}'`);
  return [
    "default-src 'none'", `script-src ${scripts.join(' ')} blob:`, 'worker-src blob:', "style-src 'unsafe-inline'", "font-src 'self' data:", "img-src 'self' data: blob:",
    "connect-src 'self' ws: wss: data:", "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'",
  ].join('; ');
}

/** JSON that cannot end the script it stands in. */
const inScript = (value: unknown) => JSON.stringify(value).replaceAll('<', '\\u003c');
