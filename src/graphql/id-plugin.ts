import SchemaBuilder, { BasePlugin, type PothosOutputFieldConfig, type SchemaTypes } from '@pothos/core';
import { encodeGlobalID } from '@pothos/plugin-relay';
import type { GraphQLFieldResolver } from 'graphql';

declare global {
  // Pothos has its plugins add their options here.
  // eslint-disable-next-line @typescript-eslint/no-namespace
  export namespace PothosSchemaTypes {
    interface Plugins<Types extends SchemaTypes> { ids: IdPlugin<Types> }
  }
}

/** The id of a node is made of the row that is there. plugin-relay makes it in a promise, which makes one of the node, its edge and the whole list. */
class IdPlugin<Types extends SchemaTypes> extends BasePlugin<Types> {
  override wrapResolve(resolve: GraphQLFieldResolver<unknown, Types['Context'], object>, { name, parentType }: PothosOutputFieldConfig<Types>): GraphQLFieldResolver<unknown, Types['Context'], object> {
    if (name !== 'id' || !this.isNode(parentType)) return resolve;
    return (row) => encodeGlobalID(parentType, (row as { id: string }).id);
  }

  private isNode(typename: string): boolean {
    const config = this.buildCache.getTypeConfig(typename);
    return config.kind === 'Object' && config.interfaces.some((implemented) => this.buildCache.getTypeConfig(implemented).name === 'Node');
  }
}

const idPlugin = 'ids';
SchemaBuilder.registerPlugin(idPlugin, IdPlugin);
export default idPlugin;
