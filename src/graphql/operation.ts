import { GraphQLError, type DocumentNode, type ExecutionArgs, type GraphQLSchema } from 'graphql';
import type { DocumentParameters, FindDocument } from './persisted-operations.ts';

/** Yoga's parser, rules and executor, with all plugins, for one operation. */
export interface Engine {
  schema: GraphQLSchema;
  parse: (text: string) => DocumentNode;
  validate: (schema: GraphQLSchema, document: DocumentNode) => readonly GraphQLError[];
  contextFactory: () => unknown;
  execute: (args: ExecutionArgs) => unknown;
  subscribe: (args: ExecutionArgs) => unknown;
}

export interface OperationParameters extends DocumentParameters {
  operationName?: string | null;
  variables?: Record<string, unknown> | null;
}

/** What is to be run, or what is wrong with it. `query` is a text where there is no manifest. */
export async function prepareOperation(engine: Engine, parameters: OperationParameters, findDocument: FindDocument | undefined): Promise<ExecutionArgs | readonly GraphQLError[]> {
  try {
    const document = engine.parse(findDocument ? findDocument(parameters) : parameters.query!);
    const faults = engine.validate(engine.schema, document);
    if (faults.length > 0) return faults;
    return { schema: engine.schema, document, operationName: parameters.operationName, variableValues: parameters.variables, contextValue: await engine.contextFactory() };
  } catch (error) {
    return [asGraphQLError(error)];
  }
}

export const asGraphQLError = (error: unknown): GraphQLError =>
  error instanceof GraphQLError ? error : new GraphQLError('', { originalError: error instanceof Error ? error : new Error(String(error)) });
