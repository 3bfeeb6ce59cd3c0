import type { Config } from '../../config.ts';
import type { Viewer } from '../viewer.ts';

/** What one viewer may use; null is no limit. */
export interface Limits {
  requestsPerMinute: number | null;
  costPerMinute: number | null;
  queryCost: number | null;
  uploadsPerDay: number | null;
  storedBytes: number | null;
  jobs: number | null;
  runningJobs: number | null;
  subscriptions: number | null;
}

const forUsers: Limits = { requestsPerMinute: 100, costPerMinute: 20_000, queryCost: 10_000, uploadsPerDay: 2_000, storedBytes: 10e9, jobs: 1_000, runningJobs: null, subscriptions: 100 };
/** Who has the machine for himself harms nobody but himself. */
const forLocal: Limits = { requestsPerMinute: null, costPerMinute: null, queryCost: 50_000, uploadsPerDay: null, storedBytes: null, jobs: null, runningJobs: null, subscriptions: null };

/** The limits of a viewer: those of the settings, and where they say nothing the defaults of his kind. */
export function limitsOf(config: Config, { kind }: Pick<Viewer, 'kind'>): Limits {
  const defaults = kind === 'LOCAL' ? forLocal : forUsers;
  const limit = (setting: number | undefined, name: keyof Limits) => (setting === undefined ? defaults[name] : setting || null);
  return {
    requestsPerMinute: limit(config.LIMIT_REQUESTS, 'requestsPerMinute'),
    costPerMinute: limit(config.LIMIT_COST, 'costPerMinute'),
    queryCost: limit(config.LIMIT_QUERY_COST, 'queryCost'),
    uploadsPerDay: limit(config.LIMIT_UPLOADS, 'uploadsPerDay'),
    storedBytes: limit(config.LIMIT_STORED_BYTES, 'storedBytes'),
    jobs: limit(config.LIMIT_JOBS, 'jobs'),
    runningJobs: limit(config.LIMIT_RUNNING_JOBS, 'runningJobs'),
    subscriptions: limit(config.LIMIT_SUBSCRIPTIONS, 'subscriptions'),
  };
}
