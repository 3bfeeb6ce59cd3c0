import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { parse, validate, type GraphQLSchema } from 'graphql';
import { z } from 'zod';
import { ConfigError } from '../config.ts';
import { refusal } from './errors.ts';

/** What a request says about its document, in the words of the clients: a text, an id, or the hash that Apollo and urql send. */
export interface DocumentParameters {
  query?: string | null;
  documentId?: unknown;
  extensions?: Record<string, unknown> | null;
}

/** Gives the text of the document that is asked for; throws FORBIDDEN for one that is not in the manifest. */
export type FindDocument = (parameters: DocumentParameters) => string;

/** Reads a manifest as GraphQL Code Generator writes it, `{ hash: document }`. One that the schema does not know refuses the start. */
export async function readPersistedOperations(path: string, schema: GraphQLSchema): Promise<FindDocument> {
  const documents = await readManifest(path);
  const problems = Object.entries(documents).flatMap(([hash, text]) => faultsOf(text, schema).map((fault) => `PERSISTED_OPERATIONS: the operation ${hash} of ${path} is not valid: ${fault}`));
  if (problems.length > 0) throw new ConfigError(problems);

  // By its name in the manifest, by its SHA-256 and by itself: clients name a document in different ways.
  const known = new Map<string, string>();
  for (const [hash, text] of Object.entries(documents)) for (const name of [hash, createHash('sha256').update(text).digest('hex'), text]) known.set(name, text);

  return ({ query, documentId, extensions }) => {
    const { sha256Hash } = (extensions?.persistedQuery ?? {}) as { sha256Hash?: unknown };
    const name = documentId ?? sha256Hash ?? query;
    const text = typeof name === 'string' ? known.get(name.replace(/^sha256:/, '')) : undefined;
    if (text !== undefined) return text;
    throw refusal(403, 'FORBIDDEN', 'Expected one of the operations that this server was given but received another. Only they are answered here: send documentId or extensions.persistedQuery.sha256Hash.');
  };
}

async function readManifest(path: string): Promise<Record<string, string>> {
  try {
    return z.record(z.string(), z.string()).parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    const reason = error instanceof z.ZodError ? z.prettifyError(error) : error instanceof Error ? error.message : String(error);
    throw new ConfigError([`PERSISTED_OPERATIONS: Expected a JSON file with { "hash": "document" } at ${path} but could not read one: ${reason}`]);
  }
}

function faultsOf(text: string, schema: GraphQLSchema): string[] {
  try {
    return validate(schema, parse(text)).map(({ message }) => message);
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
}
