import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';

/** Speaks to Darkroom as any app would: fetch for requests, graphql-ws for subscriptions. */
export interface Client {
  /** The data of an answer; an error throws with the server's own sentence. */
  ask<Data>(query: string, variables?: object): Promise<Data>;
  /** A multipart request; `files` becomes the variable of that name. */
  send<Data>(query: string, files: { name: string; bytes: Uint8Array }[]): Promise<Data>;
  /** The answers of a subscription until it completes. */
  watch<Data>(query: string, variables: Record<string, unknown>): AsyncIterable<Data>;
}

export function createDemoClient(url: string, token: string): Client {
  const authorization = `Bearer ${token}`;
  // Any header of one's own proves that no foreign page sent the form.
  const post = (body: string | FormData, headers: Record<string, string>) => fetch(`${url}/graphql`, { method: 'POST', headers: { authorization, ...headers }, body });

  return {
    ask: async (query, variables = {}) => dataOf(await post(JSON.stringify({ query, variables }), { 'content-type': 'application/json' })),
    async send(query, files) {
      const form = new FormData();
      form.set('operations', JSON.stringify({ query, variables: { files: files.map(() => null) } }));
      form.set('map', JSON.stringify(Object.fromEntries(files.map((_, index) => [index, [`variables.files.${index}`]]))));
      files.forEach(({ name, bytes }, index) => form.set(String(index), new File([new Uint8Array(bytes)], name)));
      return dataOf(await post(form, { 'x-graphql-yoga-csrf': '1' }));
    },
    async *watch<Data>(query: string, variables: Record<string, unknown>): AsyncGenerator<Data, void, void> {
      const socket = createClient({ url: `${url.replace('http', 'ws')}/graphql`, webSocketImpl: WebSocket, connectionParams: { authorization } });
      try {
        for await (const { data, errors } of socket.iterate<Data>({ query, variables })) {
          if (errors) throw new Error(errors[0]?.message);
          if (data) yield data as Data;
        }
      } finally {
        await socket.dispose();
      }
    },
  };
}

async function dataOf<Data>(response: Response): Promise<Data> {
  const { data, errors } = (await response.json()) as { data?: Data; errors?: { message: string; extensions?: { code?: string } }[] };
  if (errors?.[0] || !data) throw new Error(`The server answered ${errors?.[0]?.extensions?.code ?? response.status}: ${errors?.[0]?.message ?? 'no data'}`);
  return data;
}
