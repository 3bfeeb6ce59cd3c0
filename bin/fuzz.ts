import { existsSync, readFileSync } from 'node:fs';
import { randomInt } from 'node:crypto';
import { request } from 'node:http';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { buildSchema } from 'graphql';
import { readPictures } from './fuzz/bytes.ts';
import { drawCase, type Case, type Known } from './fuzz/cases.ts';
import { createRandom } from './fuzz/random.ts';
import { startSubject } from './fuzz/subject.ts';

const usage = `npm run fuzz -- [FOLDER] [--seconds 60] [--seed N] [--memory MB]

Starts Darkroom and sends it what nobody would: pictures of FOLDER (or drawn ones) with faults, forms with faults, queries that the
schema allows, with arguments that nobody thought of, the same slightly broken, and signed addresses that were changed. It has failed
when the process ends, says that something went wrong on its side, leaves a request without an answer for 10 s, or holds more memory
than --memory allows. The seed is printed: with it the same requests come again.`;

const hangMs = 10_000;
const atOnce = 3;
const shared = fileURLToPath(new URL('../../shared/data/photos', import.meta.url));

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: 'string', default: '60' }, seed: { type: 'string', default: String(randomInt(2 ** 31)) }, memory: { type: 'string', default: '1200' }, help: { type: 'boolean', default: false } },
});
const [seconds, seed, memory] = [values.seconds, values.seed, values.memory].map(Number) as [number, number, number];
if (values.help || ![seconds, seed, memory].every((value) => value >= 0) || positionals.length > 1) {
  console.log(usage);
  process.exit(values.help ? 0 : 1);
}

const schema = buildSchema(readFileSync(new URL('../schema.graphql', import.meta.url), 'utf8'));
const pictures = await readPictures(positionals[0] ?? (existsSync(shared) ? shared : undefined));
console.log(`Fuzzing for ${seconds} s with the seed ${seed}`);
const subject = await startSubject();
const known: Known = { ids: [], paths: [] };
const sent = new Map<Case['kind'], number>();
const failures: string[] = [];
let peakBytes = 0;
let next = 0;
const end = Date.now() + seconds * 1000;
const mayGoOn = () => Date.now() < end && failures.length < 3 && subject.isRunning();

async function work(): Promise<void> {
  while (mayGoOn()) {
    const number = next++;
    const one = drawCase(createRandom(Math.imul(seed, 1_000_003) + number), schema, pictures, known);
    sent.set(one.kind, (sent.get(one.kind) ?? 0) + 1);
    const requestId = `fuzz-${seed}-${number}`;
    const fault = await send({ ...one, headers: { ...one.headers, 'x-request-id': requestId } }).then(judge, (error: unknown) => (error instanceof Error && error.name === 'TimeoutError' ? `no answer within ${hangMs / 1000} s` : null));
    peakBytes = Math.max(peakBytes, subject.residentBytes());
    const complaint = subject.complaints.filter((line) => line.includes(`"${requestId}"`)).join('\n');
    if (peakBytes > memory * 1e6 && !failures.some((failure) => failure.includes(' MB, more than '))) failures.push(`${describe(one, number)}\n  the process holds ${Math.round(peakBytes / 1e6)} MB, more than ${memory} MB`);
    if (fault || complaint) failures.push(`${describe(one, number)}\n  ${[fault, complaint].filter(Boolean).join('\n  ')}`);
  }
}

interface Answer {
  status: number;
  text: string;
}

/** As no fetch would send it: the path as it is. A stream is read for a moment and left, as clients do. */
function send({ method, path, headers, body }: Case): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sending = request(subject.url, { method, path, headers: { ...headers, 'content-length': body?.length ?? 0 }, agent: false, signal: AbortSignal.timeout(hangMs) }, (response) => {
      const isStream = /event-stream|multipart/.test(response.headers['content-type'] ?? '');
      const chunks: Buffer[] = [];
      const answer = () => resolve({ status: response.statusCode!, text: Buffer.concat(chunks).toString('utf8') });
      response.on('data', (chunk: Buffer) => chunks.push(chunk)).once('end', answer).once('error', isStream ? answer : reject);
      if (isStream) setTimeout(() => { answer(); response.destroy(); }, 300);
    });
    // An answer may come before the end of the body, and the connection go with it: who lives is asked afterwards.
    sending.once('error', (error) => reject(error.name === 'AbortError' ? Object.assign(new Error('late'), { name: 'TimeoutError' }) : error));
    sending.end(body);
  });
}

/** What is wrong with an answer, if anything is; and what can be asked next. */
function judge({ status, text }: Answer): string | null {
  for (const [, id] of text.matchAll(/"((?:SW1hZ2U6|Sm9iO|QXVkaW9DbGlwO|TW9kZWwzRD|VXBsb2FkO)[\w+/]{40,}=*)"/g)) remember(known.ids, id!);
  for (const [, path] of text.matchAll(/"http:\/\/[\w.:]+(\/(?:files|renditions|public|archives|put|uploads)\/[^"]+)"/g)) remember(known.paths, path!);
  if (status === 500 || /"code":\s*"INTERNAL"/.test(text)) return `${status} ${text.slice(0, 500)}`;
  return null;
}

function remember(list: string[], one: string): void {
  list.push(one);
  if (list.length > 300) list.shift();
}

const describe = ({ kind, method, path, headers, body }: Case, number: number) =>
  `Case ${number} of seed ${seed}, ${kind}: ${method} ${path} ${JSON.stringify(headers)}\n  ${body ? JSON.stringify(Buffer.from(body).toString('latin1').slice(0, 1_500)) : ''}`;

await Promise.all(Array.from({ length: atOnce }, work));
const isWell = await fetch(`${subject.url}/health/ready`, { signal: AbortSignal.timeout(hangMs) }).then(({ ok }) => ok, () => false);
if (!isWell) failures.push('At the end the server is not well');
await subject.stop();
for (const complaint of subject.complaints) if (!failures.some((failure) => failure.includes(complaint))) failures.push(complaint);
for (const failure of failures) console.log(`\n${failure}`);
console.log(`${failures.length > 0 ? 'Broken by' : 'Nothing broke:'} ${next} requests (${[...sent].map(([kind, count]) => `${count} ${kind}`).join(', ')}), at most ${Math.round(peakBytes / 1e6)} MB, seed ${seed}`);
process.exitCode = failures.length > 0 ? 1 : 0;
