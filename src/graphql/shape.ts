import { Kind, type DirectiveNode, type DocumentNode, type FragmentDefinitionNode, type SelectionSetNode } from 'graphql';
import type { Config } from '../config.ts';
import { UserError } from '../errors.ts';

/** How large a document is as it would be executed: with every fragment unfolded where it is used. */
interface Shape {
  depth: number;
  fields: number;
  aliases: number;
  directives: number;
}

export type ShapeLimits = Pick<Config, 'GRAPHQL_MAX_DEPTH' | 'GRAPHQL_MAX_FIELDS' | 'GRAPHQL_MAX_ALIASES' | 'GRAPHQL_MAX_DIRECTIVES'>;

/** Refuses a document that is too deep, too broad or has too many aliases or directives, before its validation, which may take long for such. */
export function checkShape(document: DocumentNode, limits: ShapeLimits): void {
  const { depth, fields, aliases, directives } = shapeOf(document);
  const rules: [string, number, number, string][] = [
    ['levels of fields', limits.GRAPHQL_MAX_DEPTH, depth, 'Ask for what lies deeper in a query of its own, by its id'],
    ['fields', limits.GRAPHQL_MAX_FIELDS, fields, 'A fragment counts wherever it is used; ask in several queries'],
    ['aliases', limits.GRAPHQL_MAX_ALIASES, aliases, 'Ask in several queries, or for many things at once with nodes(ids:)'],
    ['directives', limits.GRAPHQL_MAX_DIRECTIVES, directives, 'Leave fields out of the query instead of skipping them'],
  ];
  for (const [what, most, count, hint] of rules) {
    if (count > most) throw new UserError('QUERY_TOO_COSTLY', `Expected a query with at most ${most} ${what} but received ${count}`, { hint });
  }
}

function shapeOf({ definitions }: DocumentNode): Shape {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of definitions) if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  // Each fragment is measured once, so that fragments that double each other cost nothing to measure.
  const known = new Map<string, Shape>();

  function ofFragment(name: string): Shape {
    const shape = known.get(name);
    if (shape) return shape;
    known.set(name, empty()); // a circle of fragments ends here, and is refused by validation
    const fragment = fragments.get(name);
    const measured = fragment ? of(fragment.selectionSet, fragment.directives) : empty();
    known.set(name, measured);
    return measured;
  }

  function of(selectionSet: SelectionSetNode | undefined, directives: readonly DirectiveNode[] = []): Shape {
    const whole = { ...empty(), directives: directives.length };
    for (const selection of selectionSet?.selections ?? []) {
      const isField = selection.kind === Kind.FIELD;
      const inner = selection.kind === Kind.FRAGMENT_SPREAD ? ofFragment(selection.name.value) : of(selection.selectionSet);
      whole.depth = Math.max(whole.depth, inner.depth + Number(isField));
      whole.fields += inner.fields + Number(isField);
      whole.aliases += inner.aliases + Number(isField && selection.alias !== undefined);
      whole.directives += inner.directives + (selection.directives?.length ?? 0);
    }
    return whole;
  }

  const total = empty();
  for (const definition of definitions) {
    if (definition.kind !== Kind.OPERATION_DEFINITION) continue;
    const shape = of(definition.selectionSet, [...(definition.directives ?? []), ...(definition.variableDefinitions ?? []).flatMap(({ directives = [] }) => directives)]);
    for (const part of ['depth', 'fields', 'aliases', 'directives'] as const) total[part] = Math.max(total[part], shape[part]);
  }
  return total;
}

const empty = (): Shape => ({ depth: 0, fields: 0, aliases: 0, directives: 0 });
