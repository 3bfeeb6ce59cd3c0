import { isUnreachable } from '../database/retry.ts';
import type { Sql } from '../database/sql.ts';

export interface NewJob {
  id: string;
  ownerId: string;
  operation: string;
  provider: string;
  parameters: unknown;
  maxFailures: number;
  priority: number;
  idempotencyKey: string | null;
  cacheKey: string;
  retryOfId: string | null;
  webhookId: string | null;
}

export interface PendingJob extends NewJob {
  inputIds: readonly string[];
  deadlineSeconds: number | null;
}

/** Writes jobs and their inputs in one statement. They count as rung: the bells follow at once, and if this process dies before, the reconciler rings after its grace. */
export async function insertPending(sql: Sql, jobs: PendingJob[]): Promise<void> {
  await sql.$executeRaw`
    with given as (
      select * from jsonb_to_recordset(${JSON.stringify(jobs)}::jsonb) as given (
        id uuid, "ownerId" text, operation text, provider text, parameters jsonb, "maxFailures" int, priority int, "idempotencyKey" text, "cacheKey" text,
        "retryOfId" uuid, "webhookId" uuid, "inputIds" uuid[], "deadlineSeconds" int)),
    born as (
      insert into job (id, owner_id, operation, provider, parameters, max_failures, input_count, priority, idempotency_key, cache_key, retry_of_id, webhook_id, rung_at, deadline)
      select id, "ownerId", operation, provider, parameters, "maxFailures", cardinality("inputIds"), priority, "idempotencyKey", "cacheKey", "retryOfId", "webhookId",
        now(), now() + "deadlineSeconds" * interval '1 second' from given)
    insert into job_input (job_id, position, asset_id)
    select id, position - 1, asset_id from given, unnest("inputIds") with ordinality input (asset_id, position)`;
}

interface Waiting {
  job: PendingJob;
  written(): void;
  failed(error: unknown): void;
}
const lines = new WeakMap<Sql, Waiting[]>();
const mostAtOnce = 100;

/** The same for one job. Those that are started while a statement is under way go together in the next one, so that a burst of starts leaves connections to others; at rest each goes at once. */
export function insertTogether(sql: Sql, job: PendingJob): Promise<void> {
  return new Promise((written, failed) => {
    const line = lines.get(sql);
    if (line) line.push({ job, written, failed });
    else void insertLine(sql, [{ job, written, failed }]);
  });
}

async function insertLine(sql: Sql, line: Waiting[]): Promise<void> {
  lines.set(sql, line);
  while (line.length > 0) {
    const group = line.splice(0, mostAtOnce);
    try {
      await insertPending(sql, group.map(({ job }) => job));
      group.forEach(({ written }) => written());
    } catch (error) {
      // What the database refuses is not written, and may be the fault of one of them. Whether it was written is open where it was out of reach.
      const tryEach = group.length > 1 && !isUnreachable(error);
      for (const { job, written, failed } of group) await (tryEach ? insertPending(sql, [job]) : Promise.reject(error)).then(written, failed);
    }
  }
  lines.delete(sql);
}
