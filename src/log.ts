import pino, { type Logger } from 'pino';

export type Log = Logger;

/** One logger for the program. Lines of a job carry `jobId`, lines of a request `requestId`; secrets never reach it. */
export function createLog(level: string): Log {
  return pino({ level, base: undefined, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination({ dest: 2, sync: true }));
}
