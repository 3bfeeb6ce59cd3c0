import { getOperationAST, Kind, TypeInfo, visit, visitWithTypeInfo, type DefinitionNode, type DocumentNode, type GraphQLSchema } from 'graphql';
import type { Scope } from '../access/scopes.ts';

interface Needs {
  scopes: Set<Scope>;
  fragments: Set<string>;
}
// Documents are parsed once and kept, so each is looked through once.
const known = new WeakMap<DocumentNode, Map<string, Needs>>();

/**
 * Every scope that an operation needs, told by its text alone: what it names counts, whether `@include` lets it through or not.
 * Asked before anything runs, so that nothing is done by halves, and before a subscription begins, which resolvers would not see.
 */
export function requiredScopes(schema: GraphQLSchema, document: DocumentNode, operationName?: string | null): Set<Scope> {
  const definitions = known.get(document) ?? new Map(document.definitions.map((definition) => [keyOf(definition), needsOf(schema, definition)]));
  known.set(document, definitions);
  const operation = getOperationAST(document, operationName);
  const scopes = new Set<Scope>();
  const keys = new Set(operation ? [keyOf(operation)] : []);
  // A set that grows while it is walked through is walked to its new end.
  for (const key of keys) {
    const needs = definitions.get(key);
    for (const scope of needs?.scopes ?? []) scopes.add(scope);
    for (const fragment of needs?.fragments ?? []) keys.add(fragment);
  }
  return scopes;
}

const keyOf = (definition: DefinitionNode) => (definition.kind === Kind.FRAGMENT_DEFINITION ? fragmentKey(definition.name.value) : `operation ${'name' in definition ? (definition.name?.value ?? '') : ''}`);
const fragmentKey = (name: string) => `fragment ${name}`;

function needsOf(schema: GraphQLSchema, definition: DefinitionNode): Needs {
  const needs: Needs = { scopes: new Set(), fragments: new Set() };
  const types = new TypeInfo(schema);
  visit(definition, visitWithTypeInfo(types, {
    Field() {
      const [field, parent] = [types.getFieldDef(), types.getParentType()];
      if (!field || field.name.startsWith('__')) return;
      for (const { extensions } of [field, ...(parent ? [parent] : [])]) if (extensions['scope']) needs.scopes.add(extensions['scope'] as Scope);
    },
    FragmentSpread({ name }) {
      needs.fragments.add(fragmentKey(name.value));
    },
  }));
  return needs;
}
