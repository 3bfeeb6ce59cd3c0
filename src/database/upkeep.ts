import { setImmediate as turn } from 'node:timers/promises';
import type { PGlite } from '@electric-sql/pglite';
import type { Log } from '../log.ts';
import { inRounds } from '../rounds.ts';

/** A start after a kill -9 goes through the log since the last checkpoint. */
const maxLogBytes = 64_000_000;

/**
 * What the processes beside a Postgres do by themselves an embedded one must be told: its folder, and a start after a kill -9, would grow with
 * every write, and plans that were made for empty tables would be kept when they are full.
 */
export async function maintain(pglite: PGlite, log: Log): Promise<void> {
  await pglite.exec('select pg_stat_force_next_flush()');
  // With the thresholds of autovacuum. An HNSW index keeps what is gone, which its scans pass over: to mend the graph takes milliseconds for each
  // vector that lives, and queries run on this thread.
  const { rows: due } = await pglite.query<{ name: string; options: string }>(`
    select oid::regclass::text as name, concat_ws(', ', case when n_mod_since_analyze > 50 + 0.1 * rows then 'analyze' end,
        case when oid in (select indrelid from pg_index join pg_class index on index.oid = indexrelid join pg_am on pg_am.oid = relam where amname = 'hnsw') then 'index_cleanup off' else 'index_cleanup auto' end) as options
    from pg_class join pg_stat_user_tables on relid = oid cross join lateral (select greatest(reltuples, 0) as rows) counted
    where n_mod_since_analyze > 50 + 0.1 * rows or n_dead_tup > 50 + 0.2 * rows or n_ins_since_vacuum > 1000 + 0.2 * rows`);
  for (const { name, options } of due) {
    const from = performance.now();
    await pglite.exec(`vacuum (${options}) ${name}`);
    log.debug({ table: name, ms: Math.round(performance.now() - from) }, 'A table was cleared of what is gone, and counted');
    await turn(); // so that whoever waits comes first
  }
  const { rows: [written] } = await pglite.query<{ bytes: string }>('select (pg_current_wal_lsn() - redo_lsn)::text as bytes from pg_control_checkpoint()');
  if (Number(written!.bytes) > maxLogBytes) await pglite.exec('checkpoint');
}

/** Maintains the database every ten seconds until stopped. */
export const startUpkeep = (pglite: PGlite, log: Log) => inRounds(() => maintain(pglite, log), 10_000, (error) => log.error({ err: error }, 'The upkeep of the database failed; it is tried again'));
