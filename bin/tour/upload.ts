import { readFile } from 'node:fs/promises';
import type { Client } from './client.ts';
import { inRequests, type Picture } from './pictures.ts';
import { createProgress, type FileState, type Progress } from './progress.ts';
import type { Screen } from './screen.ts';

interface UploadResult {
  index: number;
  alreadyStored?: boolean;
  jobs?: { id: string }[];
  code?: string;
  message?: string;
  hint?: string | null;
}

interface JobEvent {
  jobId: string;
  status: 'PENDING' | 'PROCESSING' | 'COMPLETED' | 'FAILED' | 'CANCELLED';
  progress: number;
  stage: string | null;
  job: { failure: { message: string } | null; metrics: { processingMs: number | null }; result: { analysis: { caption: { text: string } | null } | null } | null };
}

const uploadImages = `mutation ($files: [File!]!) { uploadImages(files: $files) { results {
  ... on UploadedImage { index alreadyStored jobs { id } }
  ... on RefusedFile { index code message hint } } } }`;
const jobEvents = `subscription ($jobIds: [ID!]!) { jobEvents(jobIds: $jobIds) { jobId status progress stage
  job { failure { message } metrics { processingMs } result { ... on AnalyzeResult { analysis { caption { text } } } } } } }`;

/** Uploads the pictures and shows their jobs live until all have ended. */
export async function uploadAndWatch(screen: Screen, client: Client, pictures: Picture[]): Promise<{ analyzed: number; failed: number }> {
  const { uploadLimits } = await client.ask<{ uploadLimits: { maxFiles: number } }>('{ uploadLimits { maxFiles } }');
  const requests = inRequests(pictures, uploadLimits.maxFiles);
  const bytes = pictures.reduce((sum, { byteSize }) => sum + byteSize, 0);
  screen.title('Upload and analyse', `${count(pictures.length, 'picture')}, ${(bytes / 1e6).toFixed(1)} MB, ${count(requests.length, 'multipart request')}; progress by subscription`);

  const startedAt = performance.now();
  const progress = createProgress(screen, pictures.map(({ name }) => name));
  const refusals: { name: string; result: UploadResult }[] = [];
  const watches: Promise<JobEvent['status'][]>[] = [];
  let sent = 0;
  try {
    for (const request of requests) {
      const first = sent;
      sent += request.length;
      request.forEach((_, offset) => progress.show(first + offset, { stage: 'uploading' }));
      const { uploadImages: payload } = await client.send<{ uploadImages: { results: UploadResult[] } }>(uploadImages, await Promise.all(request.map(async ({ name, path }) => ({ name, bytes: await readFile(path) }))));
      const filesOfJob = new Map<string, number[]>();
      for (const result of payload.results) {
        const index = first + result.index;
        if (result.code) {
          refusals.push({ name: request[result.index]!.name, result });
          progress.show(index, { outcome: 'refused', note: result.message ?? result.code });
        } else progress.show(index, { stage: 'waiting' });
        // The same picture twice in a request is one job.
        for (const { id } of result.jobs ?? []) filesOfJob.set(id, [...(filesOfJob.get(id) ?? []), index]);
      }
      if (filesOfJob.size === 0) continue;
      const watching = watch(client, filesOfJob, progress);
      watching.catch(() => {}); // heard below, when everything is sent
      watches.push(watching);
    }
    const statuses = (await Promise.all(watches)).flat();
    const analyzed = statuses.filter((status) => status === 'COMPLETED').length;
    const failed = statuses.length - analyzed;
    progress.end();
    const seconds = (performance.now() - startedAt) / 1000;
    screen.line(`  ${count(analyzed, 'picture')} stored and analysed in ${seconds.toFixed(1)} s${failed ? `, ${failed} failed` : ''}${refusals.length ? `, ${refusals.length} refused:` : '.'}`);
    if (refusals.length > 0) screen.table(['FILE', 'CODE', 'WHY'], refusals.map(({ name, result }) => [name, result.code ?? '', [result.message, result.hint].filter(Boolean).join('. ')]));
    return { analyzed, failed };
  } catch (error) {
    progress.end();
    throw error;
  }
}

/** The last status of each file. Told again after a reconnect, an event changes nothing. */
async function watch(client: Client, filesOfJob: Map<string, number[]>, progress: Progress): Promise<JobEvent['status'][]> {
  const statuses = new Map<number, JobEvent['status']>();
  for await (const { jobEvents: event } of client.watch<{ jobEvents: JobEvent }>(jobEvents, { jobIds: [...filesOfJob.keys()] })) {
    for (const index of filesOfJob.get(event.jobId) ?? []) {
      statuses.set(index, event.status);
      progress.show(index, stateAfter(event));
    }
  }
  return [...statuses.values()];
}

function stateAfter({ status, progress, stage, job }: JobEvent): Partial<FileState> {
  const seconds = `${((job.metrics.processingMs ?? 0) / 1000).toFixed(1)} s`;
  if (status === 'COMPLETED') return { percent: 100, outcome: 'done', note: `${seconds}  ${job.result?.analysis?.caption?.text ?? ''}` };
  if (status === 'FAILED' || status === 'CANCELLED') return { percent: progress, outcome: 'failed', note: job.failure?.message ?? 'cancelled' };
  return { percent: progress, stage: stage ?? (status === 'PENDING' ? 'waiting' : 'starting') };
}

/** "1 picture", "20 pictures". */
export const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? '' : 's'}`;
