import { getNamedType, isAbstractType, isEnumType, isInputObjectType, isListType, isNonNullType, isObjectType, type GraphQLArgument, type GraphQLInputType, type GraphQLObjectType, type GraphQLOutputType, type GraphQLSchema } from 'graphql';
import type { Random } from './random.ts';

export interface GraphqlRequest {
  query: string;
  variables: Record<string, unknown>;
}

/** Texts that are easily mistaken for something else: by a database, a parser, a pattern, a file system or a person. */
const texts = ['', ' ', 'red', 'a\u0000b', '\ud800', '\u202egnp', '%', '_', '\\', "' OR 1=1 --", '" & | ! ( ) :* <->', '../../etc/passwd', '${7*7}', '🐟'.repeat(40), 'x'.repeat(20_000), '2026-02-30', '-1', 'null', '#ff8800', 'rebeccapurple', '{"a":1}', '\n', '__proto__', '٣', 'ﬁ', 'İ'];
const numbers = [0, 1, 2, 3, 10, 100, -1, 0.5, 1e-9, 1e9, 2 ** 31 - 1, -(2 ** 31), 2 ** 31, 1e308, 4_000_000_000];
/** Loopback, private or no address at all: nothing of this goes out. */
const urls = ['http://127.0.0.1:1/a.png', 'http://[::1]/', 'http://10.0.0.1/x', 'http://169.254.169.254/', 'file:///etc/passwd', 'javascript:alert(1)', 'http://', 'ftp://127.0.0.1', `http://127.0.0.1/${'a'.repeat(3_000)}`];
const dates = ['2026-01-01T00:00:00Z', '0000-01-01T00:00:00Z', '9999-12-31T23:59:59.999Z', '+275760-09-13T00:00:00Z', '1e3', '2026-13-01', ''];

/** A query, mutation or subscription that is valid by the schema, with arguments of any kind. `ids` are of things that there are. */
export function drawQuery(random: Random, schema: GraphQLSchema, ids: readonly string[]): GraphqlRequest {
  const root = random.pick([schema.getQueryType(), schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()].filter((type) => type != null));
  const kind = root === schema.getMutationType() ? 'mutation' : root === schema.getSubscriptionType() ? 'subscription' : 'query';
  const variables: Record<string, unknown> = {};
  const declared: string[] = [];
  let room = 60;

  function draw(type: GraphQLOutputType, depth: number): string {
    const named = getNamedType(type);
    if (isAbstractType(named)) return `{ __typename ${schema.getPossibleTypes(named).filter(() => random.chance(0.4)).map((possible) => `... on ${possible.name} ${fieldsOf(possible, depth)}`).join(' ')} }`;
    return isObjectType(named) ? fieldsOf(named, depth) : '';
  }
  function fieldsOf(type: GraphQLObjectType, depth: number): string {
    const fields = Object.values(type.getFields()).filter(({ type: inner }) => depth > 0 || !isComposite(inner));
    const count = type === root ? (kind === 'subscription' ? 1 : 1 + random.below(2)) : 1 + random.below(6);
    const drawn: string[] = [];
    for (let index = 0; index < count && fields.length > 0 && room-- > 0; index++) {
      const field = random.pick(fields);
      const args = field.args.filter(({ type: wanted }) => isNonNullType(wanted) || random.chance(0.4)).map((arg) => `${arg.name}: ${declare(arg)}`);
      drawn.push(`f${declared.length}_${index}: ${field.name}${args.length > 0 ? `(${args.join(', ')})` : ''} ${draw(field.type, depth - 1)}`);
    }
    return `{ ${drawn.join(' ') || '__typename'} }`;
  }
  function declare({ name, type }: GraphQLArgument): string {
    const variable = `v${declared.length}`;
    declared.push(`$${variable}: ${String(type)}`);
    variables[variable] = valueOf(type, name, 4);
    return `$${variable}`;
  }
  function valueOf(type: GraphQLInputType, name: string, depth: number): unknown {
    if (isNonNullType(type)) return valueOf(type.ofType, name, depth);
    if (random.chance(0.05)) return null;
    if (isListType(type)) return Array.from({ length: random.chance(0.03) ? 200 : random.below(4) }, () => valueOf(type.ofType, name, depth));
    if (isEnumType(type)) return random.pick(type.getValues()).name;
    if (isInputObjectType(type)) {
      const fields = Object.values(type.getFields()).filter((field) => isNonNullType(field.type) || (depth > 0 && random.chance(0.35)));
      const chosen = type.isOneOf ? [random.pick(Object.values(type.getFields()))] : fields;
      return Object.fromEntries(chosen.map((field) => [field.name, valueOf(field.type, field.name, depth - 1)]));
    }
    // Waiting is what it is for, and no hang.
    if (name === 'waitMs') return random.below(300);
    if (type.name === 'Int') return Math.trunc(random.chance(0.5) ? random.below(300) : random.pick(numbers));
    if (type.name === 'Float') return random.pick(numbers);
    if (type.name === 'Boolean') return random.chance(0.5);
    if (type.name === 'ID') return ids.length > 0 && random.chance(0.8) ? random.pick(ids) : random.pick([...texts, Buffer.from('Image:not-a-uuid').toString('base64'), Buffer.from('Job:00000000-0000-7000-8000-000000000000').toString('base64')]);
    if (type.name === 'URL') return random.pick(urls);
    if (type.name === 'DateTime') return random.pick(dates);
    if (type.name === 'JSON') return random.pick<unknown>([null, 1, texts, { a: { b: [1e308, 'x\u0000'] } }, { ['\ud800']: '\udfff' }, JSON.parse('{"__proto__": {"a": 1}}'), 'x'.repeat(20_000)]);
    return random.pick(texts);
  }

  const body = draw(root, 4);
  return { query: `${kind} ${declared.length > 0 ? `(${declared.join(', ')})` : ''} ${body}`, variables };
}

/** The same with a fault: in its text or in a value. */
export function breakQuery(random: Random, { query, variables }: GraphqlRequest): GraphqlRequest {
  const names = Object.keys(variables);
  if (names.length > 0 && random.chance(0.5)) return { query, variables: { ...variables, [random.pick(names)]: random.pick<unknown>([...texts, ...numbers, null, [], {}, [[null]], true]) } };
  const at = random.below(query.length);
  const end = at + random.below(12);
  return { query: random.pick([query.slice(0, at), query.slice(0, at) + query.slice(end), query.slice(0, end) + query.slice(at), query.slice(0, at) + random.pick(['{', '}', '(', '"', '"""', '@skip(if: true)', '...', '$', '\u0000', '#', '!', '@', 'fragment F on Query { __typename }']) + query.slice(at)]), variables };
}

const isComposite = (type: GraphQLOutputType) => isObjectType(getNamedType(type)) || isAbstractType(getNamedType(type));
