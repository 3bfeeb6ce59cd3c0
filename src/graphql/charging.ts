import type { ExecutionArgs, ExecutionResult, GraphQLError } from 'graphql';
import { isAsyncIterable, type Plugin } from 'graphql-yoga';
import { mapEvents } from './map-events.ts';

/** What one operation may do before it runs: `extensions` go into its answer, and `end` is called when it is over. */
export type Charge<Context> = (context: Context, operation: ExecutionArgs & { isSubscription: boolean }) => Charged | Promise<Charged>;

interface Charged {
  refusal: GraphQLError | null;
  extensions: Record<string, unknown>;
  end?: () => void;
}

/** Here and not among the validation rules: what they say of a document is kept for all variables it ever comes with. */
export function useCharge<Context>(charge: Charge<Context>): Plugin {
  return {
    onExecute({ executeFn, setExecuteFn }) {
      // Without a promise of its own where none is needed: each costs as much as the whole charge.
      setExecuteFn((args: ExecutionArgs) => {
        const run = ({ refusal, extensions }: Charged) => {
          if (refusal) return { errors: [refusal], extensions };
          const result = executeFn(args) as ExecutionResult | Promise<ExecutionResult>;
          return isPromise(result) ? result.then((settled) => extended(settled, extensions)) : extended(result, extensions);
        };
        const charged = charge(args.contextValue as Context, { ...args, isSubscription: false });
        return isPromise(charged) ? charged.then(run) : run(charged);
      });
    },
    onSubscribe({ subscribeFn, setSubscribeFn }) {
      setSubscribeFn(async (args: ExecutionArgs) => {
        const { refusal, extensions, end = () => {} } = await charge(args.contextValue as Context, { ...args, isSubscription: true });
        if (refusal) return { errors: [refusal], extensions };
        try {
          const events = (await subscribeFn(args)) as AsyncIterableIterator<ExecutionResult> | ExecutionResult;
          if (isAsyncIterable(events)) return untilEnd(events, extensions, end);
          end();
          return extended(events, extensions);
        } catch (error) {
          end();
          throw error;
        }
      });
    },
  };
}

const isPromise = <T>(value: T | Promise<T>): value is Promise<T> => value instanceof Promise;

const extended = (result: ExecutionResult, extensions: Record<string, unknown>): ExecutionResult => ({ ...result, extensions: { ...result.extensions, ...extensions } });

/** The first event carries the extensions. However the events end, `end` is called. */
function untilEnd(events: AsyncIterable<ExecutionResult>, extensions: Record<string, unknown>, end: () => void): AsyncIterableIterator<ExecutionResult> {
  let isFirst = true;
  return mapEvents(events, (event) => {
    if (!isFirst) return event;
    isFirst = false;
    return extended(event, extensions);
  }, end);
}
