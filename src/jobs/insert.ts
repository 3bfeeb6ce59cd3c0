import type { Sql } from '../database/sql.ts';
import type { StartedJob } from './start.ts';

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

/** Writes a job and its inputs in one statement. It counts as rung: the bell follows at once, and if this process dies before, the reconciler rings after its grace. */
export async function insertPending(sql: Sql, job: NewJob, inputIds: readonly string[], deadlineSeconds: number | null): Promise<StartedJob> {
  const { id, ownerId, operation, provider, parameters, maxFailures, priority, idempotencyKey, cacheKey, retryOfId, webhookId } = job;
  await sql.$executeRaw`
    with born as (
      insert into job (id, owner_id, operation, provider, parameters, max_failures, input_count, priority, idempotency_key, cache_key, retry_of_id, webhook_id, rung_at, deadline)
      values (${id}::uuid, ${ownerId}, ${operation}, ${provider}, ${JSON.stringify(parameters)}::jsonb, ${maxFailures}, ${inputIds.length}, ${priority}, ${idempotencyKey}, ${cacheKey}, ${retryOfId}::uuid, ${webhookId}::uuid,
        now(), now() + ${deadlineSeconds}::int * interval '1 second')
      returning id)
    insert into job_input (job_id, position, asset_id)
    select born.id, position - 1, asset_id from born, unnest(${inputIds}::uuid[]) with ordinality given(asset_id, position)`;
  return { id, ownerId, attempt: 0 };
}
