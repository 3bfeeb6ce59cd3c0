import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';

/* eslint-disable @typescript-eslint/no-explicit-any -- answers are checked by the tests, not by types */
export interface Answer {
  status: number;
  data?: any;
  errors?: { message: string; path?: (string | number)[]; extensions: { code: string; hint?: string } }[];
}

export interface Upload {
  name: string;
  bytes: Uint8Array;
}

export interface TestClient {
  viewer: string;
  token: string;
  /** The whole answer, errors and all. */
  ask(query: string, variables?: object): Promise<Answer>;
  /** The data; errors fail the test. */
  get(query: string, variables?: object): Promise<any>;
  /** A multipart request; `files` takes the place of the variable of that name, which is a list, or one file at the dotted path `at`. */
  send(query: string, files: Upload[], variables?: object, at?: string): Promise<Answer>;
  /** What `uploadImages` answers, with ids and jobs. */
  upload(files: Upload[], options?: object): Promise<any>;
  /** Uploads and waits until every job has ended; image ids by file name. */
  uploadAndAnalyze(files: Upload[], options?: object): Promise<Map<string, string>>;
  subscribe(query: string, variables?: object): AsyncIterableIterator<any> & { return(): Promise<unknown> };
  /** Waits for the ends of the jobs; gives them. */
  untilEnded(jobIds: string[]): Promise<any[]>;
}

/** A client as an app would be: fetch for requests, graphql-ws for subscriptions. */
export function createTestClient(url: string, token: string, viewer: string): TestClient {
  const endpoint = `${url}/graphql`;
  const headers = { authorization: `Bearer ${token}` };
  const read = async (response: Response): Promise<Answer> => ({ status: response.status, ...((await response.json()) as object) });

  const client: TestClient = {
    viewer,
    token,
    ask: async (query, variables = {}) =>
      read(await fetch(endpoint, { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body: JSON.stringify({ query, variables }) })),
    async get(query, variables) {
      const { data, errors } = await client.ask(query, variables);
      if (errors) throw new Error(`Expected data but received errors: ${JSON.stringify(errors)}`);
      return data;
    },
    async send(query, files, variables = {}, at) {
      const form = new FormData();
      const places = files.map((_, index) => at ?? `files.${index}`);
      form.set('operations', JSON.stringify({ query, variables: at ? variables : { ...variables, files: files.map(() => null) } }));
      form.set('map', JSON.stringify(Object.fromEntries(places.map((place, index) => [index, [`variables.${place}`]]))));
      files.forEach(({ name, bytes }, index) => form.set(String(index), new File([bytes as BlobPart], name)));
      return read(await fetch(endpoint, { method: 'POST', headers: { ...headers, 'x-graphql-yoga-csrf': '1' }, body: form }));
    },
    async upload(files, options) {
      const { data, errors } = await client.send(
        `mutation ($files: [File!]!, $options: UploadOptions) { uploadImages(files: $files, options: $options) {
          jobs { id }
          results { __typename ... on UploadedImage { index filename alreadyStored image { id width height } jobs { id status cacheHit } } ... on RefusedFile { index filename code message hint } } } }`,
        files,
        { options },
      );
      if (errors) throw new Error(`Expected an upload but received errors: ${JSON.stringify(errors)}`);
      return data.uploadImages;
    },
    async uploadAndAnalyze(files, options) {
      const payload = await client.upload(files, options);
      const refused = payload.results.filter((result: any) => result.__typename === 'RefusedFile');
      if (refused.length > 0) throw new Error(`Expected every file to be stored but ${JSON.stringify(refused)}`);
      const jobs = await client.untilEnded(payload.jobs.map((job: any) => job.id));
      const unfinished = jobs.filter((job) => job.status !== 'COMPLETED');
      if (unfinished.length > 0) throw new Error(`Expected every job to complete but ${JSON.stringify(unfinished)}`);
      return new Map(payload.results.map((result: any) => [result.filename, result.image.id]));
    },
    subscribe(query, variables) {
      const socket = createClient({ url: `${url.replace('http', 'ws')}/graphql`, webSocketImpl: WebSocket, connectionParams: headers, retryAttempts: 0 });
      const results = socket.iterate({ query, variables: variables as Record<string, unknown> });
      const end = () => Promise.resolve(socket.dispose());
      async function* items() {
        try {
          for await (const { data, errors } of results) {
            if (errors) throw errors[0]!;
            yield data as any;
          }
        } catch (error) {
          // A refused subscription ends with its list of errors.
          throw Array.isArray(error) ? error[0] : error;
        } finally {
          await end();
        }
      }
      const iterator = items();
      return Object.assign(iterator, { return: async () => { await results.return?.(); await end(); return { done: true as const, value: undefined }; } });
    },
    async untilEnded(jobIds) {
      if (jobIds.length === 0) return [];
      const events = client.subscribe('subscription ($ids: [ID!]!) { jobEvents(jobIds: $ids) { seq } }', { ids: jobIds });
      for await (const _ of events);
      const { nodes } = await client.get('query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Job { id status progress failure { code message hint retryable } cacheHit } } }', { ids: jobIds });
      return nodes;
    },
  };
  return client;
}
