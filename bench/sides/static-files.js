import { readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import process from 'node:process';
import { URL } from 'node:url';
import { answer } from './side.js';

/** The least that serves a file well: its type, its size, and an ETag that changes with it. */
const server = createServer(async (request, response) => {
  try {
    const path = join(process.env.FOLDER, new URL(request.url, 'http://here').pathname);
    const { size, mtimeMs } = await stat(path);
    const etag = `"${size.toString(36)}-${mtimeMs.toString(36)}"`;
    const headers = { 'Content-Type': 'image/webp', ETag: etag, 'Cache-Control': 'public, max-age=3600' };
    if (request.headers['if-none-match'] === etag) return void response.writeHead(304, headers).end();
    response.writeHead(200, { ...headers, 'Content-Length': size }).end(await readFile(path));
  } catch (error) {
    response.writeHead(404).end(String(error));
  }
});
server.listen(Number(process.env.PORT), '127.0.0.1', () => answer(() => null));
