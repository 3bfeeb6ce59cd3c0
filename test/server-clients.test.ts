import { ApolloClient, type ApolloLink, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { CombinedGraphQLErrors } from '@apollo/client/errors';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { Client, cacheExchange, fetchExchange, subscriptionExchange } from '@urql/core';
import UploadHttpLink from 'apollo-upload-client/UploadHttpLink.mjs';
import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { openDoor, type Door } from './fixtures/front-door.ts';

let door: Door;
beforeAll(async () => { door = await openDoor(); });
afterAll(() => door.close(1_000));

const upload = 'mutation ($files: [File]!) { upload(files: $files) { filename byteSize } }';
const files = () => [new File(['one'], 'one.png'), new File(['three'], 'three.png')];
const received = [{ filename: 'one.png', byteSize: 3 }, { filename: 'three.png', byteSize: 5 }];
const socket = () => createClient({ url: door.socketUrl, webSocketImpl: WebSocket });

describe('Apollo Client', () => {
  const apollo = (link: ApolloLink) => new ApolloClient({ link, cache: new InMemoryCache() });

  test('queries over HTTP, and gets errors with their code', async () => {
    const client = apollo(new HttpLink({ uri: door.endpoint, headers: { authorization: 'Bearer anna' } }));
    expect((await client.query({ query: gql`{ me }` })).data).toEqual({ me: 'anna' });
    const failure = await client.query({ query: gql`{ refused }` }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(CombinedGraphQLErrors);
    expect(failure).toMatchObject({ errors: [{ extensions: { code: 'NOT_FOUND' } }] });
  });

  test('uploads with apollo-upload-client', async () => {
    const client = apollo(new UploadHttpLink({ uri: door.endpoint, headers: { 'apollo-require-preflight': 'true' } }));
    expect((await client.mutate({ mutation: gql(upload), variables: { files: files() } })).data).toMatchObject({ upload: received });
  });

  test('subscribes over graphql-ws', async () => {
    const connection = socket();
    const seen: unknown[] = [];
    await new Promise<void>((resolve, reject) => {
      apollo(new GraphQLWsLink(connection)).subscribe({ query: gql`subscription { tick(count: 2) }` }).subscribe({ next: ({ data }) => seen.push(data), complete: resolve, error: reject });
    });
    expect(seen).toEqual([{ tick: '1' }, { tick: '2' }]);
    await connection.dispose();
  });
});

describe('urql', () => {
  const urql = (fetchSubscriptions = false) => {
    const connection = socket();
    return new Client({
      url: door.endpoint, fetchSubscriptions, preferGetMethod: 'within-url-limit', fetchOptions: { headers: { 'x-graphql-yoga-csrf': '1' } },
      exchanges: [cacheExchange, fetchExchange, subscriptionExchange({
        forwardSubscription: (request) => ({ subscribe: (sink) => ({ unsubscribe: connection.subscribe({ ...request, query: request.query ?? '' }, sink) }) }),
      })].filter((_, index) => !fetchSubscriptions || index < 2),
    });
  };
  const watch = (client: Client) => new Promise<unknown[]>((resolve) => {
    const seen: unknown[] = [];
    client.subscription('subscription { tick(count: 2) }', {}).subscribe(({ data, error }) => {
      seen.push(error ?? data);
      if (error || seen.length === 2) resolve(seen);
    });
  });

  test('queries by GET', async () => {
    expect((await urql().query('{ me }', {})).data).toEqual({ me: 'nobody' });
  });
  test('uploads', async () => {
    const { data, error } = await urql().mutation(upload, { files: files() });
    expect(error).toBeUndefined();
    expect(data).toMatchObject({ upload: received });
  });
  test('subscribes over graphql-ws', async () => {
    expect(await watch(urql())).toEqual([{ tick: '1' }, { tick: '2' }]);
  });
  test('subscribes over server-sent events', async () => {
    expect(await watch(urql(true))).toEqual([{ tick: '1' }, { tick: '2' }]);
  });
});
