import { createSourceEventStream, type ExecutionArgs, type ExecutionResult } from 'graphql';
import { isAsyncIterable } from 'graphql-yoga';
import type { Execute } from './compiled.ts';
import { mapEvents } from './map-events.ts';

/** What was answered about an event, by operation. An event that nobody holds any more takes its answers along. */
const answers = new WeakMap<object, Map<string, ExecutionResult | Promise<ExecutionResult>>>();
const documents = new WeakMap<object, number>();
let lastDocument = 0;

/**
 * graphql-js' `subscribe` with an executor of ours, but an event that comes to several subscribers as the same object is answered once for all who ask the same of it.
 * Whoever hands one object to several readers vouches that they may see the same: see `jobs/shared-reads.ts`.
 */
export async function subscribe(args: ExecutionArgs, execute: Execute): Promise<AsyncIterable<ExecutionResult> | ExecutionResult> {
  const source = await createSourceEventStream(args);
  if (!isAsyncIterable(source)) return source;
  const operation = JSON.stringify([numberOf(args.document), args.operationName, args.variableValues]);
  const answer = (event: unknown) => execute({ ...args, rootValue: event });
  return mapEvents<unknown, ExecutionResult>(source, (event) => (typeof event === 'object' && event !== null ? answerOnce(event, operation, () => answer(event)) : answer(event)));
}

function answerOnce(event: object, operation: string, answer: () => ExecutionResult | Promise<ExecutionResult>) {
  const known = answers.get(event) ?? new Map<string, ExecutionResult | Promise<ExecutionResult>>();
  answers.set(event, known);
  const given = known.get(operation) ?? answer();
  known.set(operation, given);
  return given;
}

/** The parser keeps documents it knows, so the same text is the same object. */
function numberOf(document: object): number {
  const number = documents.get(document) ?? ++lastDocument;
  documents.set(document, number);
  return number;
}
