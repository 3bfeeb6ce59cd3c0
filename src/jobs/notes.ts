import type { App } from '../app.ts';
import { withRetry } from '../database/retry.ts';
import { Unwanted } from './failure.ts';
import { writeNote, type ClaimedJob } from './transitions.ts';

/** Notes are for ids and numbers: what is larger belongs into an output. */
const maxNoteLength = 500;

/** What earlier attempts at this job wrote down, and the way to write down more. */
export function openNotes({ sql }: App, job: ClaimedJob, signal: AbortSignal) {
  const remembered = new Map(Object.entries(job.notes ?? {}));

  async function remember(name: string, note: string | null): Promise<void> {
    if (note !== null && note.length > maxNoteLength) throw new RangeError(`Expected a note of at most ${maxNoteLength} characters but received ${note.length}`);
    if (!(await withRetry(() => writeNote(sql, job, name, note), { signal }))) throw new Unwanted();
    if (note === null) remembered.delete(name);
    else remembered.set(name, note);
  }
  return { remembered, remember };
}
