import { storedBytes } from '../../assets/room.ts';
import { builder, type Context } from '../../graphql/builder.ts';
import { jobsInFlight } from '../../jobs/in-flight.ts';
import type { Budget } from '../../rates.ts';
import { ViewerRef } from '../schema.ts';
import type { Viewer } from '../viewer.ts';
import { costBudget, requestBudget, uploadBudget } from './charge.ts';
import { limitsOf, type Limits } from './limits.ts';

const ViewerLimits = builder.objectRef<Limits>('ViewerLimits').implement({
  description: 'What the viewer may use. Null is no limit. What is above a rate is RATE_LIMITED, above a quota QUOTA_EXCEEDED, and a query that is too large QUERY_TOO_COSTLY.',
  fields: (t) => ({
    requestsPerMinute: t.exposeInt('requestsPerMinute', { nullable: true, description: 'Requests, and operations on sockets, in a minute. The minute begins with its first request.' }),
    costPerMinute: t.exposeInt('costPerMinute', { nullable: true, description: 'Points that queries may cost in a minute. About one for each object that is read, and more for what makes work: see `extensions.cost` of every answer.' }),
    queryCost: t.exposeInt('queryCost', { nullable: true, description: 'Points that one query may cost.' }),
    uploadsPerDay: t.exposeInt('uploadsPerDay', { nullable: true, description: 'Files sent in 24 hours, which begin with the first of them.' }),
    storedBytes: t.exposeFloat('storedBytes', { nullable: true, description: 'Bytes of all files together. What jobs make counts as well, but no job fails for it.' }),
    jobs: t.exposeInt('jobs', { nullable: true, description: 'Jobs that wait or run at a time.' }),
    runningJobs: t.exposeInt('runningJobs', { nullable: true, description: 'Jobs that run at a time; the others wait.' }),
    subscriptions: t.exposeInt('subscriptions', { nullable: true, description: 'Subscriptions at a time, on all sockets and streams together.' }),
  }),
});

/** Points that are gone of a budget; unknown where nobody counts. */
const used = (budgetOf: (points: number) => Budget, limit: (limits: Limits) => number | null) => ({
  type: 'Int' as const,
  nullable: true as const,
  resolve: async (viewer: Viewer, _args: object, { app: { config, rates } }: Context) => {
    const most = limit(limitsOf(config, viewer));
    return most === null ? null : most - (await rates.look(budgetOf(most), viewer.id)).left;
  },
});

const ViewerUsage = builder.objectRef<Viewer>('ViewerUsage').implement({
  description: 'What the viewer uses now. Null where there is no limit, and therefore nobody counts.',
  fields: (t) => ({
    requestsThisMinute: t.field({ ...used(requestBudget, (limits) => limits.requestsPerMinute), description: 'This request included.' }),
    costThisMinute: t.field({ ...used(costBudget, (limits) => limits.costPerMinute), description: 'This query included.' }),
    uploadsToday: t.field({ ...used(uploadBudget, (limits) => limits.uploadsPerDay), description: 'Files sent in the 24 hours that began with the first of them.' }),
    storedBytes: t.float({ description: 'Bytes of all files together.', resolve: (viewer, _args, { app }) => storedBytes(app.db, viewer) }),
    jobs: t.int({ description: 'Jobs that wait or run.', resolve: (viewer, _args, { app }) => jobsInFlight(app.db, viewer) }),
    subscriptions: t.int({ description: 'Subscriptions that are open.', resolve: (viewer, _args, { app }) => app.seats.taken(viewer.id) }),
  }),
});

builder.objectFields(ViewerRef, (t) => ({
  limits: t.field({ type: ViewerLimits, description: 'What the viewer may use.', resolve: (viewer, _args, { app }) => limitsOf(app.config, viewer) }),
  usage: t.field({ type: ViewerUsage, description: 'What the viewer uses now.', resolve: (viewer) => viewer }),
}));
