import { isInterfaceType, isObjectType, parse, validate } from 'graphql';
import { expect, test } from 'vitest';
import { allScopes, withIncluded, type Scope } from '../src/access/scopes.ts';
import { keyViewer, localViewer, mustAllow, tokenViewer } from '../src/access/viewer.ts';
import { requiredScopes } from '../src/graphql/required-scopes.ts';
import { schema } from '../src/graphql/schema.ts';

const needs = (text: string, operationName?: string) => {
  const document = parse(text);
  expect(validate(schema, document)).toEqual([]);
  return [...requiredScopes(schema, document, operationName)].sort();
};

test('every field of the roots says what it needs, and so does every type with an id, which node can reach', () => {
  const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()];
  const fields = roots.flatMap((root) => Object.values(root!.getFields()).map((field) => [`${root!.name}.${field.name}`, field] as const));
  const node = schema.getType('Node');
  const types = Object.values(schema.getTypeMap()).filter((type) => (isObjectType(type) || isInterfaceType(type)) && type.getInterfaces().some((one) => one === node)).map((type) => [type.name, type] as const);
  expect(fields.length).toBeGreaterThan(15);
  expect(types.map(([name]) => name)).toEqual(expect.arrayContaining(['Image', 'Job', 'Asset']));
  for (const [name, { extensions, description }] of [...fields, ...types]) {
    expect(extensions, name).toHaveProperty('scope');
    const { scope } = extensions as { scope: Scope | null };
    expect(scope === null || allScopes.includes(scope), name).toBe(true);
    if (scope) expect(description, name).toContain(`Needs \`${scope}\`.`);
  }
  for (const [name, { extensions }] of fields.filter(([name]) => name.startsWith('Mutation.'))) expect(extensions['scope'], name).toMatch(/:write$|^admin$/);
});

test('what an operation needs is told by everything it names: fields, fragments, members of interfaces, and of no other operation', () => {
  expect(needs('{ viewer { id } operations { name } __typename }')).toEqual([]);
  expect(needs('{ image(id: "x") { id jobs { totalCount } } }')).toEqual(['images:read', 'jobs:read']);
  expect(needs('{ node(id: "x") { id ... on Job { status } } }')).toEqual(['jobs:read']);
  expect(needs('query ($yes: Boolean!) { viewer { id } image(id: "x") @include(if: $yes) { id } }')).toEqual(['images:read']);
  expect(needs('mutation { uploadImages(files: []) { results { __typename } } }')).toEqual(['images:write']);
  expect(needs('subscription { job(id: "x") { ...j } } fragment j on Job { outputs { ...a } } fragment a on Asset { url { url } }')).toEqual(['images:read', 'jobs:read']);
  const two = 'query One { jobs { totalCount } } query Two { ...t } fragment t on Query { images { totalCount } }';
  expect([needs(two, 'One'), needs(two, 'Two')]).toEqual([['jobs:read'], ['images:read']]);
});

test('to write is to read, an admin may do everything, and a refusal names what is missing', () => {
  expect([...withIncluded(['images:write'])].sort()).toEqual(['images:read', 'images:write']);
  expect(withIncluded(['admin'])).toEqual(new Set(allScopes));
  expect(tokenViewer('a').scopes.has('admin')).toBe(false);
  expect([tokenViewer('a', { isAdmin: true }).role, localViewer.role, keyViewer('a', 'k', ['admin']).role, keyViewer('a', 'k', ['jobs:write']).role]).toEqual(['ADMIN', 'ADMIN', 'ADMIN', 'VIEWER']);
  mustAllow(keyViewer('a', 'k', ['jobs:write']), ['jobs:read', 'jobs:write']);
  expect(() => mustAllow(keyViewer('a', 'k', ['jobs:write']), ['jobs:read', 'images:read'])).toThrow(expect.objectContaining({ code: 'FORBIDDEN', message: 'Expected a credential that allows images:read but received one that allows jobs:write, jobs:read' }));
});
