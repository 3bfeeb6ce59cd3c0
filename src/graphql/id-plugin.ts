import SchemaBuilder, { BasePlugin, createInputValueMapper, type InputTypeFieldsMapping, mapInputFields, type PothosOutputFieldConfig, type SchemaTypes } from '@pothos/core';
import { encodeGlobalID } from '@pothos/plugin-relay';
import type { GraphQLFieldResolver, GraphQLInterfaceType, GraphQLSchema } from 'graphql';

declare global {
  // Pothos has its plugins add their options here.
  // eslint-disable-next-line @typescript-eslint/no-namespace
  export namespace PothosSchemaTypes {
    interface Plugins<Types extends SchemaTypes> { ids: IdPlugin<Types> }
  }
}

/** An id that a client sent. */
interface SentId {
  typename: string;
  id: string;
  sent: string;
}
/** The types whose ids fit. */
type Fitting = readonly string[] | 'node' | 'any';

/**
 * An id that is none, or of a type that does not fit, is one that nothing has: each field answers it as it answers the id of what was deleted,
 * where plugin-relay fails the request for one of many. The id of a node is made of the row that is there: plugin-relay makes it in a promise,
 * which makes one of the node, its edge and the whole list.
 */
class IdPlugin<Types extends SchemaTypes> extends BasePlugin<Types> {
  private readonly mappings = new Map<string, InputTypeFieldsMapping<Types, Fitting>>();

  override onOutputFieldConfig(config: PothosOutputFieldConfig<Types>): PothosOutputFieldConfig<Types> {
    const mappings = mapInputFields<Types, Fitting>(config.args, this.buildCache, ({ extensions }) => fittingOf(extensions ?? {}), this.mappings);
    if (!mappings) return config;
    const read = createInputValueMapper(mappings, (sent, { value }, { schema }: { schema: GraphQLSchema }) => readId(String(sent), value === 'node' ? nodeTypes(schema) : value!));
    // In place of plugin-relay's own.
    return { ...config, argMappers: [(args, _context, info) => read(args, undefined, info)] };
  }

  override wrapResolve(resolve: GraphQLFieldResolver<unknown, Types['Context'], object>, { name, parentType }: PothosOutputFieldConfig<Types>): GraphQLFieldResolver<unknown, Types['Context'], object> {
    if (name !== 'id' || !this.isNode(parentType)) return resolve;
    return (row) => encodeGlobalID(parentType, (row as { id: string }).id);
  }

  private isNode(typename: string): boolean {
    const config = this.buildCache.getTypeConfig(typename);
    return config.kind === 'Object' && config.interfaces.some((implemented) => this.buildCache.getTypeConfig(implemented).name === 'Node');
  }
}

/** What plugin-relay notes of an input. */
function fittingOf({ isRelayGlobalID, relayGlobalIDAlwaysParse, relayGlobalIDFor }: { isRelayGlobalID?: boolean; relayGlobalIDAlwaysParse?: boolean; relayGlobalIDFor?: { typename: string }[] | null }): Fitting | null {
  if (!isRelayGlobalID) return null;
  return relayGlobalIDFor?.map(({ typename }) => typename) ?? (relayGlobalIDAlwaysParse ? 'node' : 'any');
}

const nodeTypes = (schema: GraphQLSchema): string[] => schema.getPossibleTypes(schema.getType('Node') as GraphQLInterfaceType).map(({ name }) => name);

function readId(sent: string, fitting: readonly string[] | 'any'): SentId {
  const [, typename = '', id = ''] = /^(\w+):(.+)$/s.exec(Buffer.from(sent, 'base64').toString()) ?? [];
  return fitting === 'any' || fitting.includes(typename) ? { typename, id, sent } : { typename: fitting[0]!, id: '', sent };
}

const idPlugin = 'ids';
SchemaBuilder.registerPlugin(idPlugin, IdPlugin);
export default idPlugin;
