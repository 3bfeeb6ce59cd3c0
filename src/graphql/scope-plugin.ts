import SchemaBuilder, { BasePlugin, type FieldNullability, type InputFieldMap, type PothosOutputFieldConfig, type PothosTypeConfig, type SchemaTypes, type TypeParam } from '@pothos/core';
import type { Scope } from '../access/scopes.ts';

/** What a credential must allow for a field, or for any field of a type; null where every credential will do. */
interface Needed {
  scope?: Scope | null;
}

declare global {
  // Pothos has its plugins add their options here.
  // eslint-disable-next-line @typescript-eslint/no-namespace
  export namespace PothosSchemaTypes {
    interface Plugins<Types extends SchemaTypes> { scope: ScopePlugin<Types> }
    /* eslint-disable @typescript-eslint/no-unused-vars, @typescript-eslint/no-empty-object-type -- a declaration that is merged has the parameters of the first one */
    interface FieldOptions<Types extends SchemaTypes, ParentShape, Type extends TypeParam<Types>, Nullable extends FieldNullability<Type>, Args extends InputFieldMap, ResolveShape, ResolveReturnShape> extends Needed {}
    interface BaseTypeOptions<Types extends SchemaTypes> extends Needed {}
    /* eslint-enable */
  }
}

/**
 * Keeps the scope that a field or type names where `requiredScopes` finds it, and tells it to whoever reads the schema. The fields of
 * the roots must name one: without it there is no schema, so none can be forgotten.
 */
class ScopePlugin<Types extends SchemaTypes> extends BasePlugin<Types> {
  override onTypeConfig(config: PothosTypeConfig): PothosTypeConfig {
    const { scope } = config.pothosOptions as Needed;
    return scope === undefined ? config : { ...config, ...marked(config, scope) };
  }

  override onOutputFieldConfig(config: PothosOutputFieldConfig<Types>): PothosOutputFieldConfig<Types> {
    const { scope } = config.pothosOptions as Needed;
    if (scope === undefined && ['Query', 'Mutation', 'Subscription'].includes(config.parentType)) throw new Error(`Expected a scope for ${config.parentType}.${config.name}: the name of one, or null where every credential will do`);
    return scope === undefined ? config : { ...config, ...marked(config, scope) };
  }
}

const marked = ({ description, extensions }: { description?: string | null; extensions?: object | null }, scope: Scope | null) => ({
  description: scope ? `${description ? `${description} ` : ''}Needs \`${scope}\`.` : description,
  extensions: { ...extensions, scope },
});

const scopePlugin = 'scope';
SchemaBuilder.registerPlugin(scopePlugin, ScopePlugin);
export default scopePlugin;
