import { parse, validate } from 'graphql';
import { expect, test } from 'vitest';
import { costOf } from '../src/access/limits/cost.ts';
import { jobPrice, prices, subscriptionPrice } from '../src/access/limits/prices.ts';
import { schema } from '../src/graphql/schema.ts';

function cost(query: string, variables: Record<string, unknown> = {}, operationName?: string): number {
  const document = parse(query);
  expect(validate(schema, document)).toEqual([]);
  return costOf(schema, document, operationName, variables);
}
const page = (inside: string, first = 'first: 10') => `{ images(${first}) { edges { node { ${inside} } } } }`;
// The connection, and for each of ten an edge and a node.
const ten = 1 + 10 * 2;

test('a name costs nothing, an object a point, a page as many as it has', () => {
  expect(cost('{ __typename }')).toBe(0);
  expect(cost('{ viewer { id kind } }')).toBe(1);
  expect(cost(page('id filename'))).toBe(ten);
  expect(cost(page('id url { url }'))).toBe(ten + 10);
  expect(cost(page('id', 'last: 10'))).toBe(ten);
  expect(cost('{ images { nodes { id } } }')).toBe(1 + 20);
  expect(cost('{ images(first: 10) { nodes { id } pageInfo { hasNextPage } totalCount } }')).toBe(1 + 10 + 1 + 5);
});

test('pages in pages multiply', () => {
  expect(cost(page('jobs(first: 100) { nodes { id } }'))).toBe(ten + 10 * (1 + 100));
  expect(cost(page('similar(first: 5) { edges { node { id } } }'))).toBe(ten + 10 * (prices['Image.similar']!.once! + 1 + 5 * 2));
});

test('variables, their defaults, aliases, fragments, @skip and @include count as they would be executed', () => {
  const byVariable = 'query ($n: Int = 3, $more: Boolean = false) { a: images(first: $n) { nodes { id ...Where } } b: images(first: 1) @include(if: $more) { nodes { id } } } fragment Where on Image { url { url } url { expiresAt } }';
  expect(cost(byVariable)).toBe(1 + 3 * 2);
  expect(cost(byVariable, { n: 100 })).toBe(1 + 100 * 2);
  expect(cost(byVariable, { n: 3, more: true })).toBe(1 + 3 * 2 + 2);
  expect(cost('{ images(first: 7) @skip(if: true) { nodes { id } } viewer { id } }')).toBe(1);
  expect(cost('query A { viewer { id } } query B { images(first: 4) { nodes { id } } }', {}, 'B')).toBe(1 + 4);
});

test('one document with other variables has its own price, in whatever order they come', () => {
  const document = parse('query ($n: Int) { images(first: $n) { nodes { id } } }');
  const prices = [10, 100, 10, 1].map((n) => costOf(schema, document, null, { n }));
  expect(prices).toEqual([11, 101, 11, 2]);
});

test('what an upload runs costs as much as where it is started by itself, but for the analysis, which every upload has', () => {
  const price = (run: unknown) => cost('mutation ($keys: [String!]!, $run: [OperationName!]) { importImages(urls: [], keys: $keys, options: { run: $run }) { __typename } }', { keys: ['a', 'b', 'c'], run });
  const plain = price(undefined);
  expect([price(null), price([]), price(['ANALYZE'])]).toEqual([plain, plain, plain]);
  expect(price(['ANALYZE', 'REMOVE_BACKGROUND', 'REMOVE_BACKGROUND', 'MODEL_3D'])).toBe(plain + 3 * 2 * jobPrice);
  expect(price('REMOVE_BACKGROUND')).toBe(plain + 3 * jobPrice);
  expect(cost('mutation { importImages(urls: [], keys: ["a"], options: { run: MODEL_3D }) { __typename } }')).toBe(cost('mutation { importImages(urls: [], keys: ["a"]) { __typename } }') + jobPrice);
});

test('of types that are possible the dearest counts, and node(s) count by their ids', () => {
  const inside = '... on Image { jobs(first: 10) { nodes { id } } } ... on Job { id }';
  expect(cost(`{ node(id: "x") { id ${inside} } }`)).toBe(1 + 1 + 10);
  expect(cost(`query ($ids: [ID!]!) { nodes(ids: $ids) { id ${inside} } }`, { ids: ['a', 'b', 'c'] })).toBe(3 * (1 + 1 + 10));
});

test('work that others do later has its price, for each picture where there are many', () => {
  expect(cost('mutation ($ids: [ID!]!) { analyzeImages(imageIds: $ids) { jobs { id } } }', { ids: Array(40).fill('x') })).toBe(40 * prices['Mutation.analyzeImages']!.each! + 1 + 40);
  expect(cost('mutation ($ids: [ID!]!) { removeBackgrounds(imageIds: $ids) { refusals { id } } }', { ids: Array(7).fill('x') })).toBe(7 * jobPrice + 1 + 7);
  expect(cost('mutation { removeBackground(imageId: "x") { id } }')).toBe(jobPrice + 1);
  expect(cost('subscription { job(id: "x") { id } }')).toBe(subscriptionPrice + 1);
});

test('whatever has a price is there', () => {
  for (const name of Object.keys(prices)) {
    const [type = '', field = ''] = name.split('.');
    expect(schema.getType(type), name).toMatchObject({ _fields: { [field]: {} } });
  }
});

test('a query that is costly beyond numbers is priced without walking it', () => {
  const bomb = ['fragment F0 on Image { id }', ...Array.from({ length: 12 }, (_, level) => `fragment F${level + 1} on Image { similar(first: 100) { nodes: edges { node { ...F${level} } } } }`)];
  expect(cost(`{ images(first: 100) { nodes { ...F12 } } } ${bomb.join(' ')}`)).toBeGreaterThan(1e24);
});
