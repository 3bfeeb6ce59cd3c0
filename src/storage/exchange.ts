import http from 'node:http';
import https from 'node:https';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Patience {
  /** To reach the store. */
  connectMs: number;
  /** For the next byte, in either direction. */
  silenceMs: number;
  /** How often one exchange is begun at the most, and until when another one is. */
  tries: number;
  totalMs: number;
  /** Before the second try; doubles with each, with jitter. */
  firstPauseMs: number;
}
export const patience: Patience = { connectMs: 5_000, silenceMs: 30_000, tries: 4, totalMs: 15_000, firstPauseMs: 200 };

/** A store that asks for a longer pause than this is asked again after it all the same. */
const maxPauseMs = 5_000;

/** The store answered, with "not now". */
export class Busy extends Error {
  readonly retryAfterMs: number;

  constructor(status: number, code: string, retryAfterMs: number) {
    super(`it answered ${status}${code && ` ${code}`}`);
    this.name = 'Busy';
    this.retryAfterMs = retryAfterMs;
  }
}
const busy = new Set([408, 429, 499, 500, 502, 503, 504, 520]);

/**
 * `request` of Node's `http` or `https` as the minio client uses it, with time-outs, and with an error in place of an answer that says
 * "not now": with those the client itself would write to the console, lose the reason and leave the connection unread for ever.
 */
export function impatientTransport(secure: boolean, { connectMs, silenceMs }: Patience): Pick<typeof http, 'request'> {
  const request = (options: http.RequestOptions, answered: (response: http.IncomingMessage) => void) => {
    const exchange = (secure ? https : http).request(options);
    let answer: http.IncomingMessage | undefined;
    exchange.once('socket', (socket) => {
      let connecting: NodeJS.Timeout | undefined;
      if (socket.connecting) {
        connecting = setTimeout(() => exchange.destroy(new Error(`no connection within ${connectMs} ms`)), connectMs);
        socket.once(secure ? 'secureConnect' : 'connect', () => clearTimeout(connecting));
      }
      let wasUnread = false;
      const silent = () => {
        // What has come and was not read yet: the reader is slow, not the store. Once it reads on, the next bytes get their whole time.
        const isUnread = answer !== undefined && answer.readableLength > 0;
        if (!isUnread && !wasUnread) return void (answer ?? exchange).destroy(new Error(`nothing came for ${silenceMs} ms`));
        wasUnread = isUnread;
        socket.setTimeout(silenceMs);
      };
      socket.setTimeout(silenceMs).on('timeout', silent);
      exchange.once('close', () => {
        clearTimeout(connecting);
        socket.off('timeout', silent);
      });
    });
    exchange.once('response', (response) => {
      answer = response;
      if (!busy.has(response.statusCode ?? 0)) answered(response);
      else refusal(response).then((error) => exchange.emit('error', error), (error: unknown) => exchange.emit('error', error));
    });
    return exchange;
  };
  return { request: request as typeof http.request };
}

async function refusal(response: http.IncomingMessage): Promise<Busy> {
  const code = /<Code>(\w+)<\/Code>/.exec(await text(response))?.[1] ?? '';
  const seconds = Number(response.headers['retry-after'] ?? 0);
  return new Busy(response.statusCode ?? 0, code, Number.isFinite(seconds) ? Math.min(seconds * 1000, maxPauseMs) : 0);
}

/** Runs an exchange again while its failure may pass, with growing, jittered waits. Only for what may happen twice. */
export async function tryAgain<Result>(exchange: () => Promise<Result>, mayPass: (error: unknown) => boolean, { tries, totalMs, firstPauseMs }: Patience): Promise<Result> {
  const end = performance.now() + totalMs;
  for (let attempt = 1; ; attempt++) {
    try {
      return await exchange();
    } catch (error) {
      const pauseMs = Math.max(firstPauseMs * 2 ** (attempt - 1) * (0.5 + Math.random()), error instanceof Busy ? error.retryAfterMs : 0);
      if (attempt >= tries || !mayPass(error) || performance.now() + pauseMs > end) throw error;
      await sleep(pauseMs);
    }
  }
}
