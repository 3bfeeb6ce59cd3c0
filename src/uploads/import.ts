import { join } from 'node:path';
import type { Viewer } from '../access/viewer.ts';
import type { App } from '../app.ts';
import { isOurs } from '../config.ts';
import { UserError } from '../errors.ts';
import { openSpool } from '../spool.ts';
import { createSlots } from '../storage/parts.ts';
import { isKey } from '../storage/storage.ts';
import { receiveEach, receiveFile, tooLarge, type Received, type UploadFacts, type UploadOutcome } from './receive.ts';
import { fetchFile } from './staging.ts';

/** Fetched at a time for one request. */
const atATime = 4;
/** For one URL; a client waits for its answer meanwhile. */
const fetchTimeoutMs = 60_000;

export type ImportSource = { url: URL } | { key: string };

/** Fetches pictures from where others have put them. Each is checked like a file that was sent. */
export function importImages(app: App, viewer: Viewer, sources: ImportSource[], facts: UploadFacts): Promise<UploadOutcome>[] {
  const slot = createSlots(atATime);
  return receiveEach(sources.map(nameOf), (index) => slot(() => importOne(app, viewer, sources[index]!, facts)));
}

async function importOne(app: App, viewer: Viewer, source: ImportSource, facts: UploadFacts): Promise<Received & { filename: string }> {
  await using spool = await openSpool(app.config.DATA_DIR);
  const file = 'url' in source ? await fetchUrl(app, source.url, spool.folder) : await fetchKey(app, viewer, source.key, spool.folder);
  return { ...(await receiveFile(app, viewer, file, facts)), filename: file.filename };
}

async function fetchUrl({ http, config }: App, url: URL, folder: string) {
  const path = join(folder, 'file');
  const download = await http.download(url.href, { path, maxBytes: config.UPLOAD_MAX_BYTES, timeoutMs: fetchTimeoutMs, signal: new AbortController().signal, accept: 'image/*' });
  return { ...download, path, tooLarge: false };
}

async function fetchKey(app: App, viewer: Viewer, key: string, folder: string) {
  const prefix = app.config.IMPORT_PREFIX?.replace('{viewer}', encodeURIComponent(viewer.id));
  if (!prefix) throw new UserError('FORBIDDEN', 'Expected only URLs: this server imports no keys of its bucket', { hint: 'Whoever runs the server allows it with IMPORT_PREFIX' });
  if (!key.startsWith(prefix) || !isKey(key)) throw new UserError('FORBIDDEN', `Expected a key under ${prefix}, of letters, digits, "_", "-", "." and "/", but received "${key.slice(0, 200)}"`);
  // A viewer may have the name of a folder.
  if (isOurs(key)) throw new UserError('FORBIDDEN', `Expected a key outside originals/, processed/ and uploads/, where the files of all viewers lie, but received "${key}"`);
  const info = await app.storage.stat(key);
  if (!info) throw new UserError('NOT_FOUND', `There is no object under ${key}`);
  if (info.byteSize > app.config.UPLOAD_MAX_BYTES) throw tooLarge(app, info.byteSize);
  return fetchFile(app, [key], folder, { filename: key.split('/').at(-1)!, byteSize: info.byteSize });
}

/** Without the query, which may hold a secret. */
const nameOf = (source: ImportSource) => ('url' in source ? `${source.url.origin}${source.url.pathname}` : source.key).slice(0, 200);
