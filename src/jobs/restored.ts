import type { Sql } from '../database/sql.ts';

/**
 * A database that was restored from a dump brings events with the transaction ids of the cluster they come from. Where these are ahead of its own,
 * no event would be told until its own have caught up; so they are put before all that will be written, in their order. Gives how many were.
 */
export function settleRestoredEvents(sql: Sql): Promise<number> {
  return sql.$executeRaw`
    update job_event set xid = '0' where (select xid >= pg_snapshot_xmax(pg_current_snapshot()) from job_event order by id desc limit 1)`;
}
