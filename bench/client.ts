import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { request as post, type IncomingMessage } from 'node:http';
import { basename } from 'node:path';
import { json } from 'node:stream/consumers';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';

/** Sends the files as one multipart request and gives the ids of the jobs that were started. By hand: the forms of fetch cost twice the processor, which is the server's too. */
export async function upload(url: string, paths: readonly string[]): Promise<string[]> {
  const query = 'mutation ($files: [File!]!) { uploadImages(files: $files) { jobs { id } results { ... on RefusedFile { filename message } } } }';
  const boundary = randomUUID();
  const part = (head: string) => `--${boundary}\r\ncontent-disposition: form-data; ${head}\r\n\r\n`;
  const request = post(`${url}/graphql`, { headers: { 'x-graphql-yoga-csrf': '1', 'content-type': `multipart/form-data; boundary=${boundary}` }, method: 'POST' });
  request.write(`${part('name="operations"')}${JSON.stringify({ query, variables: { files: paths.map(() => null) } })}\r\n`);
  request.write(`${part('name="map"')}${JSON.stringify(Object.fromEntries(paths.map((_, index) => [index, [`variables.files.${index}`]])))}\r\n`);
  for (const [index, path] of paths.entries()) {
    request.write(part(`name="${index}"; filename="${basename(path)}"`));
    request.write(await readFile(path));
    request.write('\r\n');
  }
  const [response] = (await once(request.end(`--${boundary}--\r\n`), 'response')) as [IncomingMessage];
  const { data, errors } = (await json(response)) as { data?: { uploadImages: { jobs: { id: string }[]; results: { message?: string }[] } }; errors?: unknown };
  const refused = data?.uploadImages.results.filter((result) => result.message) ?? [];
  if (!data || refused.length > 0) throw new Error(`Expected every file to be stored but received ${JSON.stringify(errors ?? refused)}`);
  return data.uploadImages.jobs.map((job) => job.id);
}

export async function ask<Data>(url: string, query: string, variables: object = {}): Promise<Data> {
  const response = await fetch(`${url}/graphql`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ query, variables }) });
  const { data, errors } = (await response.json()) as { data?: Data; errors?: unknown };
  if (!data || errors) throw new Error(`Expected data but received ${JSON.stringify(errors)}`);
  return data;
}

export async function deleteAll(url: string): Promise<void> {
  for (;;) {
    const { images } = await ask<{ images: { nodes: { id: string }[] } }>(url, '{ images(first: 100) { nodes { id } } }');
    if (images.nodes.length === 0) return;
    await ask(url, 'mutation ($ids: [ID!]!) { deleteImages(ids: $ids) { deletedIds } }', { ids: images.nodes.map(({ id }) => id) });
  }
}

/** Listens until every job has ended, as an app would, and makes sure that they completed. */
export async function untilCompleted(url: string, jobIds: string[]): Promise<void> {
  const socket = createClient({ url: `${url.replace('http', 'ws')}/graphql`, webSocketImpl: WebSocket });
  const ended: string[] = [];
  // One subscription takes at most 100 jobs.
  for (let from = 0; from < jobIds.length; from += 100) {
    const events = socket.iterate<{ jobEvents: { status: string } }>({ query: 'subscription ($ids: [ID!]!) { jobEvents(jobIds: $ids) { status } }', variables: { ids: jobIds.slice(from, from + 100) } });
    for await (const { data, errors } of events) {
      if (errors) throw new Error(JSON.stringify(errors));
      const status = data?.jobEvents.status;
      if (status === 'FAILED' || status === 'CANCELLED') throw new Error(`Expected every job to complete but one has ${status}`);
      if (status === 'COMPLETED') ended.push(status);
    }
  }
  await socket.dispose();
  if (ended.length !== jobIds.length) throw new Error(`Expected ${jobIds.length} jobs to complete but ${ended.length} did`);
}
