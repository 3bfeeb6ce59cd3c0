import type { GraphQLSchema } from 'graphql';
import { mutate } from './bytes.ts';
import { breakQuery, drawQuery, type GraphqlRequest } from './queries.ts';
import type { Random } from './random.ts';

/** One request that somebody might send. */
export interface Case {
  kind: 'file' | 'form' | 'query' | 'broken query' | 'body' | 'address';
  method: string;
  path: string;
  headers: Record<string, string>;
  body?: Uint8Array;
}

/** What the answers so far have told: what there is to ask about. */
export interface Known {
  ids: string[];
  /** Paths of signed URLs. */
  paths: string[];
}

const boundary = 'x';
const upload = 'mutation ($files: [File!]!, $options: UploadOptions) { uploadImages(files: $files, options: $options) { jobs { id } results { __typename ... on UploadedImage { image { id url { url } rendition(width: 60) { url } } } ... on RefusedFile { code message } } } }';
const audio = 'mutation ($files: [File!]!) { uploadAudio(files: $files) { results { __typename ... on UploadedAudio { audioClip { id } } ... on RefusedFile { code } } } }';

export function drawCase(random: Random, schema: GraphQLSchema, pictures: readonly Buffer[], known: Known): Case {
  const kind = random.pick<Case['kind']>(['file', 'file', 'form', 'query', 'query', 'query', 'broken query', 'body', 'address']);
  if (kind === 'file') return { kind, ...multipart(form(random, pictures)) };
  if (kind === 'form') return { kind, ...multipart(mutate(random, form(random, pictures))) };
  if (kind === 'address') return { kind, ...address(random, known) };
  const request = drawQuery(random, schema, known.ids);
  if (kind === 'query') return { kind, ...json(request) };
  if (kind === 'broken query') return { kind, ...json(breakQuery(random, request)) };
  return { kind, ...post('application/json', mutate(random, Buffer.from(JSON.stringify(request)))) };
}

const post = (type: string, body: Uint8Array) => ({ method: 'POST', path: '/graphql', headers: { 'content-type': type, 'x-graphql-yoga-csrf': '1' }, body });
const multipart = (body: Uint8Array) => post(`multipart/form-data; boundary=${boundary}`, body);

function json(request: GraphqlRequest) {
  const { headers, ...rest } = post('application/json', Buffer.from(JSON.stringify(request)));
  return { ...rest, headers: { ...headers, accept: request.query.startsWith('subscription') ? 'text/event-stream' : 'application/json' } };
}

/** A form as the specification asks for it, with pictures that have faults, some of them as recordings. */
function form(random: Random, pictures: readonly Buffer[]): Buffer {
  const files = Array.from({ length: 1 + random.below(3) }, () => (random.chance(0.1) ? random.pick(pictures) : mutate(random, random.pick(pictures), pictures)));
  const isAudio = random.chance(0.1);
  const heads = [Buffer.from('RIFF\xff\xff\0\0WAVEfmt ', 'latin1'), Buffer.from('ID3\x04\0\0\0\0\x7f\x7f', 'latin1'), Buffer.from('fLaC\0\0\0\x22', 'latin1'), Buffer.from('OggS\0\x02', 'latin1'), Buffer.from('\0\0\0\x18ftypM4A ', 'latin1'), Buffer.from('\x1a\x45\xdf\xa3', 'latin1')];
  const options = { run: random.chance(0.2) ? ['ANALYZE'] : [], keepLocation: random.chance(0.5), visibility: random.pick(['PUBLIC', 'PRIVATE']) };
  const operations = JSON.stringify({ query: isAudio ? audio : upload, variables: { files: files.map(() => null), ...(!isAudio && { options }) } });
  const map = JSON.stringify(Object.fromEntries(files.map((_, index) => [index, [`variables.files.${index}`]])));
  const part = (name: string, bytes: Buffer | string, filename?: string) => Buffer.concat([Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="${name}"${filename === undefined ? '' : `; filename="${filename}"`}\r\n\r\n`), Buffer.from(bytes), Buffer.from('\r\n')]);
  const names = ['a.png', '', '../../x', 'ü🐟.jpg', 'a\u202eb', 'n'.repeat(500), 'a\0b', '\ud800', 'con', 'a"b'];
  return Buffer.concat([part('operations', operations), part('map', map), ...files.map((bytes, index) => part(String(index), isAudio ? mutate(random, Buffer.concat([random.pick(heads), bytes])) : bytes, random.pick(names))), Buffer.from(`--${boundary}--\r\n`)]);
}

/** A signed URL as it is or with a fault, or some other address. */
function address(random: Random, { paths }: Known) {
  const path = paths.length > 0 && random.chance(0.8) ? random.pick(paths) : random.pick(['/files/a?expires=1&signature=a', '/renditions/a', '/public/a/b', '/archives/zip', '/put/uploads/a', '/uploads/resumable/a', '/health/ready', '/graphql?query={__typename}', '/graphql?query=%', '/%', '//', '/graphql?variables={']);
  const spoilt = random.chance(0.5) ? mutate(random, Buffer.from(path)).toString('latin1') : path;
  const range = random.pick<Record<string, string>>([{}, {}, { range: 'bytes=0-0' }, { range: 'bytes=9999999-' }, { range: 'bytes=5-1' }, { range: 'bytes=-0' }, { 'if-none-match': '*' }, { accept: 'image/avif,*/*' }, { 'tus-resumable': '1.0.0' }]);
  // What a client may not even write is no request; the rest is the server's to refuse.
  return { method: random.pick(['GET', 'GET', 'GET', 'HEAD', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'POST']), path: `/${spoilt.slice(1).replace(/[^\x21-\x7e]/g, '~')}`, headers: range };
}
