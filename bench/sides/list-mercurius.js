import process from 'node:process';
import Fastify from 'fastify';
import mercurius from 'mercurius';
import { answer } from './side.js';
import { context, port, schema } from './resolvers.js';

const server = Fastify();
await server.register(mercurius, {
  schema,
  jit: Number(process.env.JIT ?? 0),
  // mercurius writes its Fastify instance over `app`.
  context: async () => {
    const { app, ...rest } = await context();
    return { ...rest, get app() { return app; }, set app(_theirs) {} };
  },
});
await server.listen({ port, host: '127.0.0.1' });
answer(() => null);
