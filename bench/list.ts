import { join } from 'node:path';
import { freePort } from '../bin/services/process.ts';
import { alternate, median, round, thousands, type Bench, type Row } from './figure.ts';
import { loadHttp, type HttpLoad } from './http-load.ts';
import { cpuMsOf, startDarkroom, startSide } from './machine.ts';
import { seedImages } from './seed.ts';

const connections = 20;
/** One process of the same program is up to a third faster than the next, as long as it lives. */
const starts = 6;
/** Short ones: the speed of the machine itself drifts by a tenth within seconds. */
const rounds = 3;
const seconds = 1;
/** Until the engine has compiled what each of them does; it goes on to get better for a good while. */
const warmUpSeconds = 7;
const query = `query ($first: Int) { images(first: $first) {
  edges { node { id filename width height userTags url { url expiresAt } } } pageInfo { hasNextPage endCursor } } }`;

interface Contender {
  endpoint: string;
  pid: number;
  stop(): Promise<void>;
}

/** Twenty images with their tags and signed URLs, from the same Postgres. */
export async function figure({ folder, logFile, postgres }: Bench): Promise<Row[]> {
  const databaseUrl = await (await postgres()).createDatabase();
  const environment = { DATABASE_URL: databaseUrl, DATA_DIR: join(folder, 'data'), SIGNING_SECRET: 'a secret that all contenders share in this run', DB_POOL_SIZE: '10' };
  // The first start makes the tables.
  await (await startDarkroom(environment, { logFile })).stop();
  await seedImages(databaseUrl, 1_000);
  const startAll = async () => {
    const side = async (name: string, more: Record<string, string> = {}): Promise<Contender> => {
      const port = await freePort();
      const { pid, stop } = await startSide(name, { environment: { ...environment, ...more, PORT: String(port) }, logFile });
      return { endpoint: `http://127.0.0.1:${port}/${name === 'list-apollo' ? '' : 'graphql'}`, pid, stop };
    };
    const darkroom = await startDarkroom(environment, { logFile });
    return {
      darkroom: { endpoint: `${darkroom.url}/graphql`, pid: darkroom.pid, stop: darkroom.stop },
      bare: await side('list-bare'),
      apollo: await side('list-apollo'),
      mercurius: await side('list-mercurius'),
      'mercurius with its JIT': await side('list-mercurius', { JIT: '1' }),
    };
  };
  type Name = keyof Awaited<ReturnType<typeof startAll>>;
  const results: Record<Name, { requestsPerSecond: number; cpuUs: number }[]> = { darkroom: [], bare: [], apollo: [], mercurius: [], 'mercurius with its JIT': [] };
  const names = Object.keys(results) as Name[];
  let expected: string | undefined;

  for (let start = 0; start < starts; start++) {
    const contenders = await startAll();
    const measure = async (name: Name, time: number) => {
      const { endpoint, pid } = contenders[name];
      const cpuBefore = cpuMsOf(pid);
      const load = await loadHttp(endpoint, JSON.stringify({ query, variables: { first: 20 } }), { connections, seconds: time });
      return { ...load, cpuUs: ((cpuMsOf(pid) - cpuBefore) * 1000) / (load.requestsPerSecond * time) };
    };
    try {
      for (const name of names) {
        const answer = comparable((await measure(name, warmUpSeconds)).body);
        expected ??= answer;
        const at = [...answer].findIndex((character, index) => character !== expected![index]);
        if (answer !== expected) throw new Error(`Expected the same answer from ${name} but received …${answer.slice(Math.max(0, at - 100), at + 100)}`);
      }
      const found = await alternate(rounds, Object.fromEntries(names.map((name) => [name, () => measure(name, seconds)])) as Record<Name, () => ReturnType<typeof measure>>);
      for (const name of names) results[name].push(...found[name]);
    } finally {
      for (const contender of Object.values(contenders)) await contender.stop();
    }
  }

  const rate = (name: Name) => median(results[name].map((result) => result.requestsPerSecond));
  const cpu = (name: Name) => median(results[name].map((result) => result.cpuUs));
  const describe = (name: Name) => `${thousands(rate(name))}/s`;
  const row = (what: string, peer: Exclude<Name, 'darkroom'>, bar: number | null, asked: string, note: string): Row => ({
    what, ours: describe('darkroom'), beside: `${peer === 'bare' ? 'node:http' : peer} ${describe(peer)}`,
    ratio: round(rate('darkroom') / rate(peer)), bar: asked, holds: bar === null ? null : rate('darkroom') / rate(peer) >= bar,
    note: `${note} CPU per request: Darkroom ${thousands(cpu('darkroom'))} µs, ${peer} ${thousands(cpu(peer))} µs.`,
  });
  const how = `${connections} connections, ${starts} starts of each, ${rounds} alternated rounds of ${seconds} s after ${warmUpSeconds} s to warm up, the same answers but for signatures and times.`;
  return [
    row('list of 20 images: node:http', 'bare', 0.35, '≥ 0.35', `The peer is written by hand: it runs three plain statements (prepared), where Prisma joins in one, signs the URLs with the same function and prints an object literal; it knows no GraphQL. ${how}`),
    row('list of 20 images: Apollo Server', 'apollo', 1, 'ahead', 'The peer serves the same schema and Prisma resolvers with its standalone server.'),
    row('list of 20 images: mercurius', 'mercurius', 1, 'ahead', 'The same schema and resolvers, with Fastify, each with its own settings: Darkroom compiles what is asked often, mercurius nothing.'),
    row('list of 20 images: mercurius with its JIT', 'mercurius with its JIT', null, '', 'It compiles from the second request on, with the same library; its errors are not those of graphql-js then.'),
  ];
}

/** Ports, signatures, moments, the order of fields and what Darkroom says of the cost differ; nothing else may. */
function comparable(body: HttpLoad['body']): string {
  const plain = body.replace(/(localhost|127\.0\.0\.1):\d+/g, 'HOST').replace(/expires=\d+&signature=[\w-]+/g, 'SIGNATURE').replace(/"expiresAt":"[^"]+"/g, '"expiresAt":""');
  return JSON.stringify({ ...(JSON.parse(plain) as object), extensions: undefined }, (_key, part: unknown) =>
    part && typeof part === 'object' && !Array.isArray(part) ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1))) : part,
  );
}
