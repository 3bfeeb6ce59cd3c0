import { execute, GraphQLError, parse, specifiedRules, validate, type ASTVisitor, type ExecutionArgs, type ParseOptions, type Source, type ValidationContext } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import type { Config } from '../config.ts';
import { compilingExecutor } from './compiled.ts';
import { refusal } from './errors.ts';
import { checkShape, type ShapeLimits } from './shape.ts';
import { subscribe } from './subscribe.ts';

const maxQueryCharacters = 64_000;

export type DocumentLimits = ShapeLimits & Pick<Config, 'GRAPHQL_MAX_TOKENS' | 'GRAPHQL_INTROSPECTION' | 'GRAPHQL_COMPILE_AFTER'>;

/** What a document may be, the same over HTTP and sockets. What is refused here costs little: text, then tokens, then shape, then GraphQL's own rules. */
export function useDocumentRules(limits: DocumentLimits): Plugin {
  return {
    onParse({ params, setParseFn }) {
      const { length } = typeof params.source === 'string' ? params.source : params.source.body;
      if (length > maxQueryCharacters) throw refusal(400, 'QUERY_TOO_COSTLY', `Expected a query of at most ${maxQueryCharacters} characters but received ${length}. Move values into variables.`);
      setParseFn((source: string | Source, options?: ParseOptions) => {
        const document = parseBounded(source, options, limits.GRAPHQL_MAX_TOKENS);
        checkShape(document, limits);
        return document;
      });
    },
    onValidate({ addValidationRule, setValidationFn }) {
      if (limits.GRAPHQL_INTROSPECTION) return;
      addValidationRule(NoIntrospection);
      setValidationFn(((schema, document, rules) => validate(schema, document, rules ?? specifiedRules, { hideSuggestions: true })) as typeof validate);
    },
  };
}

/** graphql-js itself: as fast as Yoga's own executor, and answers have their fields in the order of the query, as the specification asks. What is asked often is compiled. */
export function useReferenceExecutor({ GRAPHQL_INTROSPECTION, GRAPHQL_COMPILE_AFTER }: DocumentLimits): Plugin {
  const hideSuggestions = !GRAPHQL_INTROSPECTION;
  const executeFn = compilingExecutor(GRAPHQL_COMPILE_AFTER, hideSuggestions ? (args) => execute({ ...args, hideSuggestions }) : execute);
  return {
    onExecute: ({ setExecuteFn }) => setExecuteFn(executeFn as typeof execute),
    onSubscribe: ({ setSubscribeFn }) => setSubscribeFn((args: ExecutionArgs) => subscribe({ ...args, hideSuggestions }, executeFn)),
  };
}

// Thousands of nested braces overflow the parser's stack; they are tokens first.
function parseBounded(source: string | Source, options: ParseOptions | undefined, maxTokens: number) {
  try {
    return parse(source, { ...options, maxTokens });
  } catch (error) {
    if (!(error instanceof GraphQLError) || !/Parsing aborted/.test(error.message)) throw error;
    throw refusal(400, 'QUERY_TOO_COSTLY', `Expected a query of at most ${maxTokens} tokens but received more. Ask in several queries.`);
  }
}

function NoIntrospection(context: ValidationContext): ASTVisitor {
  return {
    Field(node) {
      if (node.name.value !== '__schema' && node.name.value !== '__type') return;
      context.reportError(new GraphQLError('This server does not describe its schema: it is in schema.graphql of Darkroom. GRAPHQL_INTROSPECTION=true opens it.', { nodes: node, extensions: { code: 'FORBIDDEN' } }));
    },
  };
}
