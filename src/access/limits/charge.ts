import type { DocumentNode, GraphQLSchema } from 'graphql';
import type { App } from '../../app.ts';
import { UserError } from '../../errors.ts';
import type { Balance, Budget } from '../../rates.ts';
import type { Viewer } from '../viewer.ts';
import { costOf } from './cost.ts';
import { limitsOf } from './limits.ts';

/** What `extensions.cost` of an answer says. */
export interface Cost {
  requestedQueryCost: number;
  /** Points of the viewer's minute; null where there is no limit. `restoreRate` is a second's share of what comes back when the minute is over. */
  throttleStatus: { maximumAvailable: number; currentlyAvailable: number; restoreRate: number } | null;
}

export const requestBudget = (points: number): Budget => ({ name: 'requests', points, seconds: 60 });
export const costBudget = (points: number): Budget => ({ name: 'cost', points, seconds: 60 });
export const uploadBudget = (points: number): Budget => ({ name: 'uploads', points, seconds: 86_400 });

/** One request, or one operation on a socket, counted before anything of it is read. */
export async function chargeRequest({ config, rates }: App, viewer: Viewer): Promise<void> {
  const { requestsPerMinute } = limitsOf(config, viewer);
  if (requestsPerMinute === null) return;
  const balance = await rates.take(requestBudget(requestsPerMinute), viewer.id, 1);
  if (!balance.isEnough) throw tooMany(`Expected at most ${requestsPerMinute} requests in a minute but received more`, balance);
}

/** What becomes of an operation before it runs; the cost is told in both cases. */
interface Charge {
  extensions: { cost: Cost };
  refusal: UserError | null;
  end?: () => void;
}

/** What an operation may cost, and a seat for a subscription, taken before it runs. A subscription pays once, at its start. At once where nobody has to be asked. */
export function chargeOperation(app: App, viewer: Viewer, operation: Operation): Charge | Promise<Charge> {
  const charge = chargeCost(app, viewer, operation);
  return operation.isSubscription ? withSeat(app, viewer, charge) : charge;
}

async function withSeat(app: App, viewer: Viewer, cost: Charge | Promise<Charge>): Promise<Charge> {
  const charge = await cost;
  if (charge.refusal) return charge;
  const end = await seatSubscription(app, viewer);
  return end instanceof UserError ? { ...charge, refusal: end } : { ...charge, end };
}

interface Operation {
  schema: GraphQLSchema;
  document: DocumentNode;
  operationName?: string | null | undefined;
  variableValues?: Record<string, unknown> | null | undefined;
  isSubscription: boolean;
}

function chargeCost(app: App, viewer: Viewer, operation: Operation): Charge | Promise<Charge> {
  const { queryCost, costPerMinute } = limitsOf(app.config, viewer);
  const cost = costOf(operation.schema, operation.document, operation.operationName, operation.variableValues);
  const most = Math.min(queryCost ?? Infinity, costPerMinute ?? Infinity);
  const hint = 'Ask for smaller pages with `first`, or for fewer lists within lists';
  const tooCostly = cost > most ? new UserError('QUERY_TOO_COSTLY', `Expected a query of at most ${most} points but this one may cost ${cost}`, { hint }) : null;
  if (costPerMinute !== null) return chargeMinute(app, viewer, costPerMinute, cost, tooCostly);
  return { extensions: { cost: { requestedQueryCost: cost, throttleStatus: null } }, refusal: tooCostly };
}

async function chargeMinute({ rates }: App, viewer: Viewer, points: number, cost: number, tooCostly: UserError | null): Promise<Charge> {
  const budget = costBudget(points);
  const balance = tooCostly ? await rates.look(budget, viewer.id) : await rates.take(budget, viewer.id, cost);
  const throttleStatus = { maximumAvailable: points, currentlyAvailable: balance.left, restoreRate: Math.round((points / budget.seconds) * 10) / 10 };
  const tooMuch = balance.isEnough ? null : tooMany(`Expected queries of at most ${points} points in a minute, of which ${balance.left} are left, but this one may cost ${cost}`, balance);
  return { extensions: { cost: { requestedQueryCost: cost, throttleStatus } }, refusal: tooCostly ?? tooMuch };
}

/** A place for one more subscription of the viewer, or what to say where there is none. */
async function seatSubscription({ config, seats }: App, viewer: Viewer): Promise<(() => void) | UserError> {
  const { subscriptions } = limitsOf(config, viewer);
  // Where there is no limit they are counted all the same, for `viewer.usage`.
  const letGo = await seats.take(viewer.id, subscriptions ?? 1e9);
  return letGo ?? new UserError('QUOTA_EXCEEDED', `Expected at most ${subscriptions} subscriptions at a time but received one more`, { hint: 'Complete some, or watch all jobs with one: jobEvents without jobIds' });
}

/** Files count when they come, also those that are refused or were there before. */
export async function chargeUploads({ config, rates }: App, viewer: Viewer, files: number): Promise<void> {
  const { uploadsPerDay } = limitsOf(config, viewer);
  if (uploadsPerDay === null || files === 0) return;
  const balance = await rates.take(uploadBudget(uploadsPerDay), viewer.id, files);
  if (balance.isEnough) return;
  const hours = Math.max(1, Math.ceil(balance.resetMs / 3_600_000));
  throw new UserError('QUOTA_EXCEEDED', `Expected at most ${uploadsPerDay} uploads in a day, of which ${balance.left} are left, but received ${files}`, { hint: `All of them are back in ${hours} h` });
}

function tooMany(message: string, { resetMs }: Balance): UserError {
  return new UserError('RATE_LIMITED', message, { retryAfterMs: resetMs, hint: `Try again in ${Math.max(1, Math.ceil(resetMs / 1000))} s` });
}
