import pino, { type Logger } from 'pino';

export type Log = Logger;

/** What people wrote, called their files or came with: no line shows it, whoever puts it there. */
const hidden = ['authorization', 'cookie', 'token', 'secret', 'password', 'apiKey', 'prompt', 'negativePrompt', 'filename', 'title', 'variables', 'parameters', 'metadata', 'url', 'query', 'headers', 'body'];

/** Credentials by their look. Each is linear in the length of a line, and ends where a text in JSON does. */
const looks: [RegExp, string][] = [
  [/\b((?:https?|wss?|rediss?|postgres(?:ql)?):\/\/)(?:[^\s"'\\<>@/?#]*@)?([^\s"'\\<>?#)]*)[^\s"'\\<>)]*/gi, '$1$2'],
  [/(\/public\/)[\w-]{43}(?=\/)/g, '$1…'],
  [/\b(Bearer|Basic)\s+[\w.~+/=-]+/gi, '$1 …'],
  [/\beyJ[\w-]+\.[\w-]+\.[\w-]*/g, '…'],
  [/\b(dr_[0-9a-f]{16})_[\w-]+/g, '$1_…'],
  [/\b(signature|x-amz-[a-z-]+|access_token|api[_-]?key|token|secret|password)=[^\s"'\\&]+/gi, '$1=…'],
];

/**
 * One logger for the program. Lines of a job carry `jobId`, lines of a request `requestId`. Credentials, signed URLs and what people wrote
 * reach no line: by their names, by their look, and those of the settings (`secrets`) letter by letter.
 */
export function createLog(level: string, { secrets = [], write = openStderr() }: { secrets?: readonly string[]; write?: (line: string) => void } = {}): Log {
  const known = secrets.map((secret) => JSON.stringify(secret).slice(1, -1));
  const options = {
    level,
    base: undefined,
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { err: tellError },
    redact: { paths: hidden.flatMap((name) => [name, `*.${name}`]), censor: '…' },
  };
  return pino(options, { write: (line) => write(hide(line, known)) });
}

function openStderr(): (line: string) => void {
  const stderr = pino.destination({ dest: 2, sync: true });
  return (line) => void stderr.write(line);
}

function hide(line: string, secrets: readonly string[]): string {
  let text = line;
  for (const secret of secrets) text = text.replaceAll(secret, '…');
  for (const [look, instead] of looks) text = text.replace(look, instead);
  return text;
}

/** What an error says of itself and of its causes. Not what hangs on it: that may be a row, a document or a command with its password. */
function tellError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return String(error);
  const { name, message, stack, code, cause, errors } = error as Error & { code?: unknown; errors?: unknown };
  return {
    type: name,
    ...((typeof code === 'string' || typeof code === 'number') && { code }),
    message: withoutRows(message),
    stack: stack?.split('\n').filter((line) => /^\s+at /.test(line)).join('\n'),
    ...(cause !== undefined && depth < 4 && { cause: tellError(cause, depth + 1) }),
    ...(Array.isArray(errors) && depth < 4 && { errors: errors.slice(0, 5).map((one) => tellError(one, depth + 1)) }),
  };
}

/** Prisma repeats the call it could not make, with the row that was to be written; what was wrong with it comes last. */
function withoutRows(message: string): string {
  const cut = /^\s*Invalid `[^`]*` invocation/.exec(message);
  return cut ? `${cut[0].trim()}: ${message.trimEnd().split('\n').at(-1)!}` : message;
}
