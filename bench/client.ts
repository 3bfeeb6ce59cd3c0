import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';

/** Sends the files as one multipart request and gives the ids of the jobs that were started. */
export async function upload(url: string, paths: readonly string[]): Promise<string[]> {
  const form = new FormData();
  const query = 'mutation ($files: [File!]!) { uploadImages(files: $files) { jobs { id } results { ... on RefusedFile { filename message } } } }';
  form.set('operations', JSON.stringify({ query, variables: { files: paths.map(() => null) } }));
  form.set('map', JSON.stringify(Object.fromEntries(paths.map((_, index) => [index, [`variables.files.${index}`]]))));
  for (const [index, path] of paths.entries()) form.set(String(index), new File([await readFile(path)], basename(path)));
  const response = await fetch(`${url}/graphql`, { method: 'POST', headers: { 'x-graphql-yoga-csrf': '1' }, body: form });
  const { data, errors } = (await response.json()) as { data?: { uploadImages: { jobs: { id: string }[]; results: { message?: string }[] } }; errors?: unknown };
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
