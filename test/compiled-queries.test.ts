import { inspect } from 'node:util';
import { buildSchema, execute, parse, validate, type ExecutionArgs, type ExecutionResult, type GraphQLObjectType } from 'graphql';
import { expect, test, vi } from 'vitest';
import { UserError } from '../src/errors.ts';
import { compilingExecutor } from '../src/graphql/compiled.ts';

const schema = buildSchema(`
  scalar JSON
  scalar Moment
  enum Kind { WARM COLD }
  input Wish { sizes: [Int!], kind: Kind = WARM, since: Moment, not: Wish, all: [Wish!], most: Float! = 2 }
  input Which @oneOf { id: ID, name: String }
  interface Thing { id: ID! next: Thing }
  type Cup implements Thing { id: ID! name: String, next: Thing, size: Int, sizes: String, lid: Cup! }
  type Jug implements Thing { id: ID! next: Thing, litres: Float! }
  type Query { cup(id: ID = "7", sizes: [Int!]): Cup, must: Cup!, things: [Thing!], thing: Thing, later: [Cup], none: Cup, refused: Int, broken: [Cup], echo(wish: Wish, which: Which, kinds: [Kind!], rows: [[Int]], since: Moment, until: Moment! = "2020-01-01", any: JSON, yes: Boolean): String }
  type Mutation { fill: Int }
  type Subscription { washed(twice: Boolean = false): Cup }
`);
const fail = async () => {
  throw new UserError('NOT_FOUND', 'no name', { hint: 'Ask for another' });
};
const resolvers: Record<string, Record<string, (...args: never[]) => unknown>> = {
  Query: {
    cup: (_root: unknown, { id, sizes }: { id: string; sizes?: number[] }) => ({ id, sizes: JSON.stringify(sizes), size: 3, lid: { id: 8 } }),
    must: async () => ({ id: 5 }),
    things: () => [{ kind: 'Cup', id: 1, next: { kind: 'Jug', id: 9, litres: 1.5 } }, { kind: 'Jug', id: 2, litres: 0 }],
    thing: async () => ({ kind: 'Cup', id: 1, size: 2 }),
    later: () => [Promise.resolve({ id: 1, lid: { id: 2 } }), null, Promise.resolve(null)],
    refused: () => 2 ** 40,
    echo: (_root: unknown, args: unknown) => inspect(args, { depth: 9, sorted: true }),
    broken: () => [{ id: 1 }, Promise.reject(new Error('broken')), { id: 2 }],
  },
  Cup: { name: fail, lid: async ({ lid }: { lid?: unknown }) => lid },
  Mutation: { fill: () => 3 },
  Subscription: { washed: async (cup: object, { twice }: { twice: boolean }) => ({ ...cup, size: twice ? 2 : 1 }) },
};
for (const [type, fields] of Object.entries(resolvers)) for (const [field, resolve] of Object.entries(fields)) (schema.getType(type) as GraphQLObjectType).getFields()[field]!.resolve = resolve as never;
Object.assign(schema.getType('Moment')!, { parseValue: (text: string) => new Date(text), parseLiteral: ({ value }: { value: string }) => new Date(value) });
Object.assign(schema.getType('Thing')!, { resolveType: ({ kind }: { kind: string }) => kind });

function prepare(text: string, variableValues?: Record<string, unknown>, operationName?: string): ExecutionArgs {
  const document = parse(text);
  expect(validate(schema, document)).toEqual([]);
  return { schema, document, variableValues, operationName };
}
const asJson = (result: ExecutionResult) => JSON.parse(JSON.stringify(result)) as unknown;
/** Runs it with an executor that compiles at once, and says how often graphql-js was asked as well. */
async function ask(args: ExecutionArgs) {
  const interpret = vi.fn(execute);
  const result = await compilingExecutor(1, interpret)(args);
  return { result, interpreted: interpret.mock.calls.length };
}

test.each([
  ['{ cup { id size } }'],
  ['query ($id: ID, $sizes: [Int!]) { cup(id: $id, sizes: $sizes) { id sizes } again: cup { id __typename } }', { id: 'x', sizes: [1, 2] }],
  ['{ cup { id ...cup ... on Thing { id } ... { __typename } } } fragment cup on Cup { size lid { id } ...thing } fragment thing on Thing { id }'],
  ['{ later { id lid { id } } none { id } }'],
  ['query ($yes: Boolean!) { cup { id @include(if: $yes) size @skip(if: $yes) } cup @skip(if: $yes) { sizes } }', { yes: true }],
  ['query ($yes: Boolean!) { cup { id @include(if: $yes) size @skip(if: $yes) } cup @skip(if: $yes) { sizes } }', { yes: false }],
  ['query a { cup { id } } query b { cup { size } }', undefined, 'b'],
])('compiled it answers as graphql-js does: %s', async (text, variables?: Record<string, unknown>, operationName?: string) => {
  const args = prepare(text, variables, operationName);
  const { result, interpreted } = await ask(args);
  expect(interpreted).toBe(0);
  expect(JSON.stringify(result)).toBe(JSON.stringify(await execute(args))); // the order of the fields too
  expect(result.errors).toBeUndefined();
});

test.each([
  ['a field', '{ cup { id } must { name } }'],
  ['a field that must not', '{ must { lid { id } } }'],
  ['a value that its type has not', '{ cup { id } refused }'],
  ['one of a list', '{ broken { id } }'],
  ['a variable', 'query ($sizes: [Int!]) { cup(sizes: $sizes) { id } }', { sizes: ['no'] }],
])('what fails is told by graphql-js: %s', async (_what, text, variables?: Record<string, unknown>) => {
  const args = prepare(text, variables);
  const { result, interpreted } = await ask(args);
  expect(interpreted).toBe(1);
  expect(asJson(result)).toEqual(asJson(await execute(args)));
  expect(result.errors).toHaveLength(1);
});

test('the answer to an event of a subscription is compiled as that to a query is, and told by graphql-js where it fails', async () => {
  const args = { ...prepare('subscription ($twice: Boolean) { washed(twice: $twice) { id size __typename } }', { twice: true }), rootValue: { id: 'c' } };
  const { result, interpreted } = await ask(args);
  expect(interpreted).toBe(0);
  expect(result).toEqual({ data: { washed: { id: 'c', size: 2, __typename: 'Cup' } } });

  const failing = { ...prepare('subscription { washed { id name } }'), rootValue: { id: 'c' } };
  const told = await ask(failing);
  expect(told.interpreted).toBe(1);
  expect(asJson(told.result)).toEqual(asJson(await execute(failing)));
  expect(told.result.errors).toHaveLength(1);
});

const values: Record<string, unknown[]> = {
  'Wish': [{}, [], null, 5, 'x', { sizes: 3 }, { sizes: [1, null] }, { sizes: ['1'] }, { kind: 'COLD' }, { kind: 'warm' }, { kind: null }, { since: '2021-02-03' }, { most: null }, { most: '1' }, { other: 1 }, { not: { sizes: [2] }, all: { most: 1 } }, { all: [{}, { all: [] }] }, JSON.parse('{ "__proto__": {} }')],
  'Wish! = { since: "2021-02-03", kind: COLD }': [{}, null],
  'Which': [{ id: 1 }, { id: 'a', name: null }, { id: 'a', name: 'b' }, { id: null }, {}, [], null],
  '[Kind!]': ['WARM', ['COLD', 'WARM'], [null], [], {}, 1],
  '[Kind!]! = WARM': [null, []],
  '[[Int]]': [1, [1, 2], [[1], 2, null], [[[1]]], [1.5], [2 ** 31], ['1'], [true], {}],
  'Moment': ['2021-02-03', null],
  'Moment! = "2021-02-03"': [null],
  'JSON': [{ deep: [null, { er: 1 }] }, [1], null, 'x', 0, false],
  'Boolean': [true, false, null, 'true', 1],
};
const places: Record<string, string> = { Wish: 'wish', Which: 'which', Kind: 'kinds', Int: 'rows', Moment: 'until', JSON: 'any', Boolean: 'yes' };

test.each(Object.entries(values))('compiled it makes of a variable what graphql-js makes of it: %s', async (type, given) => {
  const text = `query ($v: ${type}) { echo(${places[/\w+/.exec(type)![0]]}: $v) }`;
  for (const variables of [{}, undefined, ...given.map((v) => ({ v }))]) {
    const args = prepare(text, variables);
    const expected = await execute(args);
    const { result, interpreted } = await ask(args);
    expect({ variables, interpreted, result: asJson(result) }).toEqual({ variables, interpreted: expected.errors ? 1 : 0, result: asJson(expected) });
  }
});

test.each([
  ['a variable within an object', 'query ($kind: Kind, $most: Float) { echo(wish: { kind: $kind, most: $most }) }'],
  ['a variable within a list', 'query ($row: [Int]) { echo(rows: [$row, 3]) }'],
  ['a mutation', 'mutation { fill }'],
  ['a name that JavaScript takes for a prototype', '{ __proto__: cup { id } }'],
  ['a description of the schema', '{ __schema { queryType { name fields { name type { kind ofType { name } } } } } __type(name: "Cup") { interfaces { name } } }'],
  ['what has very many fields', `{ ${Array.from({ length: 51 }, (_, index) => `a${index}: cup { id }`).join(' ')} }`],
  ['the same by a fragment', `{ ${Array.from({ length: 26 }, (_, index) => `a${index}: cup { ...f }`).join(' ')} } fragment f on Cup { id size sizes }`],
  ['what may be of several types', '{ things { __typename id next { id } ... on Jug { litres } ... on Cup { size } } }'],
])('%s is not compiled', async (_what, text) => {
  const args = prepare(text);
  const { result, interpreted } = await ask(args);
  expect(interpreted).toBe(1);
  expect(asJson(result)).toEqual(asJson(await execute(args)));
});

test('two operations of one document that share a fragment do not share its conditions', async () => {
  const args = prepare('query a($yes: Boolean!) { cup { ...f @include(if: $yes) } } query b { cup { ...f } } fragment f on Cup { id size }', { yes: false }, 'a');
  const run = compilingExecutor(1, () => expect.unreachable());
  expect(await run(args)).toEqual({ data: { cup: {} } });
  expect(await run({ ...args, variableValues: {}, operationName: 'b' })).toEqual({ data: { cup: { id: '7', size: 3 } } });
});

test('a query is compiled when it has been asked for often enough, and never with 0', async () => {
  const args = prepare('{ cup { id } }');
  for (const [after, interpreted] of [[3, 2], [1, 0], [0, 6]] as const) {
    const interpret = vi.fn(execute);
    const run = compilingExecutor(after, interpret);
    for (let time = 0; time < 6; time++) expect(await run(args)).toMatchObject({ data: { cup: { id: '7' } } });
    expect(interpret).toHaveBeenCalledTimes(interpreted);
  }
});
