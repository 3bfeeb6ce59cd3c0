import { buildSchema, execute, parse, type ExecutionResult } from 'graphql';
import { expect, test } from 'vitest';
import { subscribe } from '../src/graphql/subscribe.ts';
import { readTogether } from '../src/jobs/shared-reads.ts';

test('equal readings of one turn are one, which begins after all were asked for; the next turn reads anew', async () => {
  const source = {};
  const begun: string[] = [];
  const read = (key: string) => readTogether(source, key, async () => void begun.push(key));
  const asked = [read('a'), read('b'), read('a')];
  expect(begun).toEqual([]);
  await Promise.all(asked);
  expect(begun).toEqual(['a', 'b']);
  await read('a');
  expect(begun).toEqual(['a', 'b', 'a']);
});

test('a reading that fails fails for those who asked, and for nobody after', async () => {
  const source = {};
  const failing = () => readTogether(source, 'key', () => Promise.reject<string>(new Error('away')));
  expect(await Promise.allSettled([failing(), failing()])).toMatchObject([{ reason: { message: 'away' } }, { reason: { message: 'away' } }]);
  expect(await readTogether(source, 'key', async () => 'back')).toBe('back');
});

const schema = buildSchema('type Query { none: Int } type Event { number(plus: Int = 0): Int! } type Subscription { event: Event! }');

async function answersTo(events: unknown[], query: string, variableValues?: Record<string, unknown>): Promise<unknown[]> {
  async function* source() {
    yield* events;
  }
  const results = await subscribe({ schema, document: documentOf(query), rootValue: { event: source }, variableValues }, execute);
  const answers: unknown[] = [];
  for await (const { data, errors } of results as AsyncIterable<ExecutionResult>) answers.push(errors ?? data?.['event']);
  return answers;
}
// Parsed once, as the server's cache of documents does it.
const parsed = new Map<string, ReturnType<typeof parse>>();
const documentOf = (query: string) => parsed.get(query) ?? parsed.set(query, parse(query)).get(query)!;

test('an event that comes to several subscribers is answered once for each operation and its variables', async () => {
  let resolved = 0;
  const event = { event: { number: ({ plus }: { plus: number }) => ++resolved && 40 + plus } };
  const plain = 'subscription { event { number } }';
  const shifted = 'subscription ($plus: Int) { event { number(plus: $plus) } }';
  expect(await Promise.all([answersTo([event], plain), answersTo([event], plain), answersTo([event], shifted, { plus: 1 }), answersTo([event], shifted, { plus: 2 }), answersTo([event], shifted, { plus: 2 })]))
    .toEqual([[{ number: 40 }], [{ number: 40 }], [{ number: 41 }], [{ number: 42 }], [{ number: 42 }]]);
  expect(resolved).toBe(3);
  await answersTo([{ ...event }], plain);
  expect(resolved).toBe(4);
});
