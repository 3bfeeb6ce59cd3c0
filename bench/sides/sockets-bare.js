import { createServer } from 'node:http';
import { Redis } from 'ioredis';
import process from 'node:process';
import { WebSocketServer } from 'ws';
import { answer } from './side.js';

/** Every message of a channel to every socket, as one string: the least that a fan-out can be. */
const subscriber = new Redis(process.env.REDIS_URL);
const sockets = new WebSocketServer({ noServer: true });
subscriber.on('message', (_channel, text) => {
  for (const socket of sockets.clients) socket.send(text);
});
await subscriber.subscribe('bare');
const server = createServer();
server.on('upgrade', (request, stream, head) => sockets.handleUpgrade(request, stream, head, () => {}));
server.listen(Number(process.env.PORT), '127.0.0.1', () => answer(() => null));
