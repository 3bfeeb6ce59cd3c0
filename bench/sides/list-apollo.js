import { ApolloServer } from '@apollo/server';
import { startStandaloneServer } from '@apollo/server/standalone';
import { answer } from './side.js';
import { context, port, schema } from './resolvers.js';

const server = new ApolloServer({ schema, csrfPrevention: false, introspection: false });
await startStandaloneServer(server, { context, listen: { port, host: '127.0.0.1' } });
answer(() => null);
