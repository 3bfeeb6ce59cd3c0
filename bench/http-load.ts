import { connect, type Socket } from 'node:net';

export interface HttpLoad {
  requestsPerSecond: number;
  p50Ms: number;
  p99Ms: number;
  /** The first answer. */
  body: string;
}

const endOfHead = Buffer.from('\r\n\r\n');

/**
 * Keeps `connections` requests on the way for `seconds`, always the same one: a GET, or with a body a POST of JSON. On bare sockets, because a whole HTTP client on the
 * other CPU would be slower than the fastest server. Any answer but 200 of the same length as the first one ends it.
 */
export async function loadHttp(url: string, body: string | null, { connections, seconds }: { connections: number; seconds: number }): Promise<HttpLoad> {
  const { hostname, port, pathname, search } = new URL(url);
  const request = Buffer.from(
    body === null
      ? `GET ${pathname}${search} HTTP/1.1\r\nhost: ${hostname}:${port}\r\n\r\n`
      : `POST ${pathname} HTTP/1.1\r\nhost: ${hostname}:${port}\r\ncontent-type: application/json\r\naccept: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
  const durations: number[] = [];
  let first: Buffer | undefined;
  const startedAt = performance.now();
  const endAt = startedAt + seconds * 1000;

  const ask = async (socket: Socket): Promise<void> => {
    const sentAt = performance.now();
    socket.write(request);
    const answer = await readAnswer(socket);
    first ??= answer;
    if (answer.length !== first.length) throw new Error(`Expected ${first.length} bytes as before but received ${answer.length}: ${answer.toString('utf8', 0, 300)}`);
    durations.push(performance.now() - sentAt);
  };
  await Promise.all(
    Array.from({ length: connections }, async () => {
      const socket = connect(Number(port), hostname).setNoDelay();
      try {
        while (performance.now() < endAt) await ask(socket);
      } finally {
        socket.destroy();
      }
    }),
  );
  const took = performance.now() - startedAt;
  durations.sort((a, b) => a - b);
  const at = (share: number) => durations[Math.floor(durations.length * share)] ?? NaN;
  return { requestsPerSecond: durations.length / (took / 1000), p50Ms: at(0.5), p99Ms: at(0.99), body: first!.toString() };
}

function readAnswer(socket: Socket): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let received: Buffer = Buffer.alloc(0);
    let whole = Infinity;
    const onData = (chunk: Buffer) => {
      received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
      if (whole === Infinity) {
        const head = received.indexOf(endOfHead);
        if (head < 0) return;
        const text = received.toString('latin1', 0, head);
        const length = /content-length: (\d+)/i.exec(text)?.[1];
        if (!text.startsWith('HTTP/1.1 200') || length === undefined) return settle(() => reject(new Error(`Expected 200 with a Content-Length but received: ${received.toString().slice(0, 500)}`)));
        whole = head + endOfHead.length + Number(length);
      }
      if (received.length >= whole) settle(() => resolve(received.subarray(received.indexOf(endOfHead) + endOfHead.length)));
    };
    const onClose = () => settle(() => reject(new Error('The server closed the connection')));
    const settle = (end: () => void) => {
      socket.off('data', onData).off('close', onClose).off('error', onClose);
      end();
    };
    socket.on('data', onData).on('close', onClose).on('error', onClose);
  });
}
