import {
  getNamedType, getNullableType, getOperationAST, isAbstractType, isCompositeType, isListType, Kind, valueFromASTUntyped,
  type DocumentNode, type FieldNode, type FragmentDefinitionNode, type GraphQLCompositeType, type GraphQLField, type GraphQLObjectType,
  type GraphQLSchema, type OperationDefinitionNode, type SelectionSetNode,
} from 'graphql';
import { defaultPageSize, maxPageSize } from '../../keyset.ts';
import { countPrice, introspectionPrice, jobPrice, mutationPrice, plainListLength, prices, subscriptionPrice, type Price } from './prices.ts';

type Variables = Record<string, unknown>;

interface Walk {
  schema: GraphQLSchema;
  fragments: Record<string, FragmentDefinitionNode>;
  variables: Variables;
}

/** One document with other page sizes has another cost; with other words it has not. */
const known = new WeakMap<DocumentNode, Map<string, number>>();
const maxKnown = 100;

/**
 * What an operation may cost at the most, in the points of `prices.ts`, before any of it runs: as it would be executed, with its
 * variables, fragments, @skip and @include, each field once however often it is selected, and of several possible types the dearest.
 */
export function costOf(schema: GraphQLSchema, document: DocumentNode, operationName: string | null | undefined, given: Variables | null | undefined): number {
  const operation = getOperationAST(document, operationName);
  if (!operation) return 0; // it will not run
  const variables = withDefaults(operation, given ?? {});
  // What a mutation costs may lie deep in its input; whoever changes something can wait for a walk.
  if (operation.operation === 'mutation') return walkCost(schema, document, operation, variables);
  const costs = known.get(document) ?? new Map<string, number>();
  known.set(document, costs);
  const key = keyOf(operation, variables);
  let cost = costs.get(key);
  if (cost === undefined) {
    cost = walkCost(schema, document, operation, variables);
    if (costs.size >= maxKnown) costs.clear();
    costs.set(key, cost);
  }
  return cost;
}

function withDefaults({ variableDefinitions = [] }: OperationDefinitionNode, given: Variables): Variables {
  const variables: Variables = {};
  for (const { variable: { name }, defaultValue } of variableDefinitions) {
    const value = Object.hasOwn(given, name.value) ? given[name.value] : undefined;
    variables[name.value] = value === undefined && defaultValue ? valueFromASTUntyped(defaultValue) : value;
  }
  return variables;
}

/** Numbers, yes and no, and the lengths of lists are all that decides. */
function keyOf(operation: OperationDefinitionNode, variables: Variables): string {
  let key = operation.name?.value ?? '';
  for (const value of Object.values(variables)) {
    key += typeof value === 'number' || typeof value === 'boolean' ? ` ${value}` : Array.isArray(value) ? ` [${value.length}]` : ' -';
  }
  return key;
}

function walkCost(schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, variables: Variables): number {
  const fragments: Walk['fragments'] = {};
  for (const definition of document.definitions) if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments[definition.name.value] = definition;
  const root = schema.getRootType(operation.operation);
  if (!root) return 0;
  return costOfFields({ schema, fragments, variables }, root, [operation.selectionSet], 1) + (operation.operation === 'subscription' ? subscriptionPrice : 0);
}

/** `length` is how many things the field around asked for: the length of the lists in it. */
function costOfFields(walk: Walk, type: GraphQLCompositeType, selections: readonly SelectionSetNode[], length: number): number {
  if (isAbstractType(type)) return Math.max(0, ...walk.schema.getPossibleTypes(type).map((possible) => costOfFields(walk, possible, selections, length)));
  const fields = new Map<string, FieldNode[]>();
  const visited = new Set<string>();
  for (const selection of selections) collectFields(walk, type as GraphQLObjectType, selection, fields, visited);
  let cost = 0;
  for (const nodes of fields.values()) cost += costOfField(walk, type as GraphQLObjectType, nodes, length);
  return cost;
}

/** The fields that an object of this type will have, by the name they have in the answer. */
function collectFields(walk: Walk, type: GraphQLObjectType, selections: SelectionSetNode, fields: Map<string, FieldNode[]>, visited: Set<string>): void {
  for (const selection of selections.selections) {
    if (isLeftOut(selection, walk.variables)) continue;
    if (selection.kind === Kind.FIELD) {
      const name = selection.alias?.value ?? selection.name.value;
      const nodes = fields.get(name);
      if (nodes) nodes.push(selection);
      else fields.set(name, [selection]);
      continue;
    }
    if (selection.kind === Kind.FRAGMENT_SPREAD) {
      if (visited.has(selection.name.value)) continue;
      visited.add(selection.name.value);
    }
    const fragment = selection.kind === Kind.FRAGMENT_SPREAD ? walk.fragments[selection.name.value] : selection;
    if (fragment && isOfType(walk.schema, type, fragment.typeCondition?.name.value)) collectFields(walk, type, fragment.selectionSet, fields, visited);
  }
}

function isLeftOut({ directives = [] }: Pick<FieldNode, 'directives'>, variables: Variables): boolean {
  return directives.some(({ name, arguments: given }) => {
    const condition = given?.find((argument) => argument.name.value === 'if');
    if (!condition) return false;
    const holds = valueFromASTUntyped(condition.value, variables) === true;
    return name.value === 'skip' ? holds : name.value === 'include' && !holds;
  });
}

function isOfType(schema: GraphQLSchema, type: GraphQLObjectType, condition: string | undefined): boolean {
  if (condition === undefined || condition === type.name) return true;
  const wanted = schema.getType(condition);
  return isAbstractType(wanted) && schema.isSubType(wanted, type);
}

function costOfField(walk: Walk, parent: GraphQLObjectType, nodes: readonly FieldNode[], around: number): number {
  const [node] = nodes;
  const name = node!.name.value;
  const field = parent.getFields()[name];
  if (!field) return name === '__schema' || name === '__type' ? introspectionPrice : 0;

  const type = getNamedType(field.type);
  const isConnection = type.name.endsWith('Connection');
  const asked = howManyAsked(field, node!, walk.variables, isConnection);
  const { once = 0, each = 0 } = prices[`${parent.name}.${name}`] ?? unlisted(walk, parent, name, type.name);
  const work = once + (each + jobPrice * jobsOfEach(node!, walk.variables)) * (asked ?? 1);
  if (!isCompositeType(type)) return work;

  const selections = nodes.flatMap(({ selectionSet }) => selectionSet ?? []);
  const isList = isListType(getNullableType(field.type));
  // Pages and payloads hold the list that the field around them was asked for.
  const length = isList ? (asked ?? (holdsList(parent) ? around : plainListLength)) : 1;
  return work + length * (1 + costOfFields(walk, type, selections, isList ? 1 : (asked ?? 1)));
}

function unlisted({ schema }: Walk, parent: GraphQLObjectType, name: string, type: string): Price {
  if (parent !== schema.getMutationType()) return name === 'totalCount' ? { once: countPrice } : {};
  return type === 'Job' || type === 'StartJobsPayload' ? { each: jobPrice } : { once: mutationPrice };
}

/** How many jobs an upload starts for each of its files, beside the analysis, which is in its price. */
function jobsOfEach({ arguments: given = [] }: FieldNode, variables: Variables): number {
  const node = given.find((argument) => argument.name.value === 'options');
  const { run } = ((node && valueFromASTUntyped(node.value, variables)) ?? {}) as { run?: unknown };
  // One value is a list of one to GraphQL.
  return new Set([run ?? []].flat().filter((name) => name !== 'ANALYZE')).size;
}

const holdsList = (parent: GraphQLObjectType) => /(Connection|Payload)$/.test(parent.name);

/** The size of the page, the `count` of an input, or the length of the longest list among the arguments; undefined where none is asked for. */
function howManyAsked(field: GraphQLField<unknown, unknown>, { arguments: given = [] }: FieldNode, variables: Variables, isConnection: boolean): number | undefined {
  let asked: number | undefined;
  for (const { name, defaultValue } of field.args) {
    const node = given.find((argument) => argument.name.value === name);
    const value: unknown = (node && valueFromASTUntyped(node.value, variables)) ?? defaultValue;
    // A larger page is refused by the resolver, whose sentence is the better one.
    if ((name === 'first' || name === 'last') && typeof value === 'number') return Math.min(Math.max(0, value), maxPageSize);
    const size = Array.isArray(value) ? value.length : (value as { count?: unknown } | null | undefined)?.count;
    if (typeof size === 'number') asked = Math.max(asked ?? 0, size);
  }
  return isConnection ? defaultPageSize : asked;
}
