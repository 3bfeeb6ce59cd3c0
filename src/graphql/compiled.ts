import { execute, getNamedType, getOperationAST, isAbstractType, parse, print, TypeInfo, visit, visitWithTypeInfo, type ExecutionArgs, type ExecutionResult, type OperationDefinitionNode } from 'graphql';
import { compileQuery, isCompiledQuery, type CompiledQuery } from 'graphql-jit';

/** The code of a field that may be of several types is made once for each of them, and within it again. */
const maxAbstractFields = 2;

type Execute = (args: ExecutionArgs) => ExecutionResult | Promise<ExecutionResult>;
interface Known {
  timesAsked: number;
  compiled?: CompiledQuery['query'] | null;
}

/**
 * As `interpret`, but a query that is asked for the `after`th time becomes a function of its own, which takes a tenth less time for a list of
 * images; what is made up anew each time is not worth that, nor is a mutation. `after` 0 never compiles. What fails is asked again of `interpret`.
 */
export function compilingExecutor(after: number, interpret: Execute = execute): Execute {
  if (after === 0) return interpret;
  // The parser keeps documents it knows, so the same text is the same object.
  const known = new WeakMap<OperationDefinitionNode, Known>();
  return (args) => {
    const operation = getOperationAST(args.document, args.operationName);
    if (operation?.operation !== 'query') return interpret(args);
    const query = known.get(operation) ?? { timesAsked: 0 };
    known.set(operation, query);
    if (++query.timesAsked >= after && query.compiled === undefined) query.compiled = compile(args);
    if (!query.compiled) return interpret(args);

    // What errors say, where they are and what they leave of the answer is for graphql-js alone to tell; a query changes nothing, so it may be asked twice.
    const settle = (result: ExecutionResult) => (result.errors ? interpret(args) : result);
    const result = query.compiled(args.rootValue, args.contextValue, args.variableValues) as ExecutionResult | Promise<ExecutionResult>;
    return result instanceof Promise ? result.then(settle) : settle(result);
  };
}

function compile({ schema, document, operationName }: ExecutionArgs): CompiledQuery['query'] | null {
  const types = new TypeInfo(schema);
  let abstractFields = 0;
  let isPlain = true;
  visit(document, visitWithTypeInfo(types, {
    Field({ alias }) {
      const type = getNamedType(types.getType());
      if (type && isAbstractType(type)) abstractFields++;
      // `__proto__` would be no property of the answer but its prototype.
      if (alias?.value.startsWith('__')) isPlain = false;
    },
  }));
  if (!isPlain || abstractFields > maxAbstractFields) return null;
  // A copy of the document: the compiler leaves marks in it, and an operation would see those of another.
  const compiled = compileQuery(schema, parse(print(document)), operationName ?? undefined);
  return isCompiledQuery(compiled) ? compiled.query : null;
}
