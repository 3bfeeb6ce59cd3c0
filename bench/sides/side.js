import process from 'node:process';

/** A process that bench/run.ts starts and asks: says that it is ready, then answers one message after the other. */
export function answer(handle) {
  process.on('message', async (message) => {
    try {
      process.send({ value: await handle(message) });
    } catch (error) {
      process.send({ fault: error instanceof Error ? error.stack : String(error) });
    }
  });
  process.on('disconnect', () => process.exit(0));
  process.on('SIGTERM', () => process.exit(0));
  process.send({ value: 'ready' });
}
