import type { App } from '../app.ts';
import type { Viewer as ViewerRow } from '../database/generated/client.ts';
import { UserError } from '../errors.ts';
import type { Viewer } from './viewer.ts';

/** Rings when somebody may have lost what they had: a key was revoked, a viewer suspended. Whoever hears it looks again. */
export const accessTopic = 'access';

/** Notes that a viewer was here, and says why they may not be. Null: they may. */
export async function seeViewer({ db }: Pick<App, 'db'>, id: string): Promise<string | null> {
  const [row] = await db.$queryRaw<{ reason: string | null }[]>`
    insert into viewer (id) values (${id}) on conflict (id) do update set last_seen_at = now()
    returning case when suspended_at is not null then suspended_reason end as reason`;
  return row!.reason;
}

export const suspension = (reason: string) => new UserError('FORBIDDEN', `You are suspended: ${reason}`, { hint: 'Ask whoever runs this server' });

const maxReason = 500;

/** From now on whatever the viewer asks is refused with the reason, and what they have open ends. Their jobs run on, and signed URLs live until they expire. */
export async function suspendViewer(app: App, admin: Viewer, id: string, reason: string): Promise<ViewerRow> {
  if (id === admin.id) throw new UserError('INVALID_INPUT', 'Expected another viewer than yourself');
  if (!reason.trim() || reason.length > maxReason || reason.includes('\0')) throw new UserError('INVALID_INPUT', `Expected a reason of 1 to ${maxReason} characters but received ${reason.length}`, { hint: 'The viewer reads it with every refusal' });
  return change(app, id, { suspendedAt: new Date(), suspendedReason: reason });
}

export const resumeViewer = (app: App, id: string): Promise<ViewerRow> => change(app, id, { suspendedAt: null, suspendedReason: null });

async function change({ db, events }: App, id: string, data: Pick<ViewerRow, 'suspendedAt' | 'suspendedReason'>): Promise<ViewerRow> {
  const [row] = await db.viewer.updateManyAndReturn({ where: { id }, data });
  if (!row) throw new UserError('NOT_FOUND', 'There is no viewer with this id', { hint: 'A viewer is known from their first request on' });
  await events.publish(accessTopic);
  return row;
}
