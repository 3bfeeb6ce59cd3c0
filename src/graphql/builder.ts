import SchemaBuilder from '@pothos/core';
import PrismaPlugin from '@pothos/plugin-prisma';
import RelayPlugin, { encodeGlobalID } from '@pothos/plugin-relay';
import { GraphQLScalarType } from 'graphql';
import { DateTimeResolver, JSONResolver, URLResolver } from 'graphql-scalars';
import type { Viewer } from '../access/viewer.ts';
import type { App } from '../app.ts';
import type PrismaTypes from '../database/generated/pothos.ts';
import { getDatamodel } from '../database/generated/pothos.ts';
import { errorCodes, UserError, type ErrorCode } from '../errors.ts';
import { multipartHint } from './errors.ts';
import IdPlugin from './id-plugin.ts';
import { SpooledFile } from './multipart.ts';
import ScopePlugin from './scope-plugin.ts';

/** What every resolver gets: the program, who is asking, and the id that finds this request in the log. */
export interface Context {
  app: App;
  viewer: Viewer;
  requestId: string;
}

/** The one schema builder. Each noun's `schema.ts` adds its types to it. */
export const builder = new SchemaBuilder<{
  Context: Context;
  PrismaTypes: PrismaTypes;
  DefaultFieldNullability: false;
  DefaultEdgesNullability: false;
  DefaultNodeNullability: false;
  Scalars: {
    ID: { Input: string; Output: string };
    DateTime: { Input: Date; Output: Date };
    JSON: { Input: unknown; Output: unknown };
    URL: { Input: URL; Output: URL | string };
    File: { Input: SpooledFile; Output: never };
    Cursor: { Input: string; Output: string };
  };
}>({
  plugins: [ScopePlugin, IdPlugin, RelayPlugin, PrismaPlugin],
  defaultFieldNullability: false,
  prisma: { client: ({ app }) => app.db, dmmf: getDatamodel(), onUnusedQuery: null },
  relay: {
    cursorType: 'String',
    nodesOnConnection: { description: 'The nodes of this page, without their edges.' },
    pageInfoTypeOptions: { description: 'Where this page stands among the others.' },
    nodeTypeOptions: { description: 'Anything with an id of its own.' },
    nodeQueryOptions: { scope: null, description: 'The viewer\'s thing with this id; null when there is none.', nullable: true },
    nodesQueryOptions: { scope: null, description: 'The viewer\'s things with these ids, in this order; null where there is none.' },
    edgesFieldOptions: { nullable: false },
    nodeFieldOptions: { nullable: false },
  },
});

// What leaves was made here: the checks of graphql-scalars are for what comes in, and cost a list a third of its time.
builder.addScalarType('DateTime', new GraphQLScalarType({ ...withinCalendar(DateTimeResolver).toConfig(), serialize: (moment) => (moment as Date).toISOString() }));
builder.addScalarType('JSON', JSONResolver);
builder.addScalarType('URL', new GraphQLScalarType({ ...URLResolver.toConfig(), serialize: String }));
builder.scalarType('Cursor', {
  description: 'Where a reader stands in the viewer\'s job events. Opaque: keep the last one you saw and send it back.',
  serialize: (value) => value,
  parseValue: (value) => {
    if (typeof value === 'string' && value.length > 0 && value.length <= 100) return value;
    throw new UserError('INVALID_INPUT', 'Expected a cursor to be the text that an event carried');
  },
});
builder.scalarType('File', {
  description: 'A file of a multipart request (https://github.com/jaydenseric/graphql-multipart-request-spec): send the variable as null and the bytes as a part of the form.',
  serialize: () => {
    throw new Error('A File is never part of an answer');
  },
  parseValue: (value) => {
    if (value instanceof SpooledFile) return value;
    throw new UserError('INVALID_INPUT', `Expected a file of a multipart request for a File but received ${value === null ? 'null' : typeof value}`, {
      hint: multipartHint,
    });
  },
});

/** Postgres has no year 0, and takes none that JavaScript writes with more than four digits. */
function withinCalendar(scalar: typeof DateTimeResolver): typeof DateTimeResolver {
  const check = (value: Date): Date => {
    if (value.getUTCFullYear() >= 1 && value.getUTCFullYear() <= 9999) return value;
    throw new UserError('INVALID_INPUT', `Expected a DateTime in the years 1 to 9999 but received one in ${value.getUTCFullYear()}`);
  };
  return new GraphQLScalarType({ ...scalar.toConfig(), parseValue: (value) => check(scalar.parseValue(value)), parseLiteral: (node, variables) => check(scalar.parseLiteral(node, variables)) });
}

export const ErrorCodeEnum = builder.enumType('ErrorCode', {
  description: 'What is wrong with a request; the same codes stand in `extensions.code` of errors. The list is closed.',
  values: Object.fromEntries(Object.entries(errorCodes).map(([code, description]) => [code, { description }])) as Record<ErrorCode, { description: string }>,
});

builder.queryType({ description: 'Everything that can be asked. All of it is about what belongs to the viewer.' });
builder.mutationType({ description: 'Everything that can be done. What happens to a request is an error with a code; what happens to the work is data on its job.' });
builder.subscriptionType({ description: 'Everything that can be watched, over WebSocket (graphql-ws) or server-sent events at the same address.' });

/** The row id inside a global id. One that cannot be a row's id is one that no row has. */
export function rowId(globalId: { id: string }): string {
  if (/^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i.test(globalId.id)) return globalId.id;
  return '00000000-0000-0000-0000-000000000000';
}

/** An id as the client sent it. */
export const asSent = ({ typename, id, sent }: { typename: string; id: string; sent?: string }): string => sent ?? globalId(typename, id);

/** The id that clients see for a row. */
export const globalId = (typename: string, id: string): string => encodeGlobalID(typename, id);
