import type { z } from 'zod';
import type { AssetKind } from '../database/generated/client.ts';
import type { Sql } from '../database/sql.ts';
import type { OutputFile } from '../assets/outputs.ts';
import type { Compute } from '../compute/pool.ts';
import type { Config } from '../config.ts';
import type { Http } from '../http/http.ts';

/** An input of a job as a provider sees it: a local copy, and what is known of it. */
export interface InputFile {
  /** To read it and nothing else: it may be the stored file itself. */
  path: string;
  filename: string;
  contentType: string;
  byteSize: number;
  /** Pixels, upright; null for what has none. */
  width: number | null;
  height: number | null;
}

/** Everything a provider may use. It never sees the database, the queue, the storage or GraphQL. */
export interface Run<Parameters> {
  inputs: InputFile[];
  parameters: Parameters;
  /** Where outputs are written; gone with the attempt. */
  outputFolder: string;
  /** Aborted on cancel, time-out, lost lease and stop; whatever runs must end soon after. */
  signal: AbortSignal;
  timeoutMs: number;
  /** What `publish` made in earlier attempts at this job, by position: it is paid for and there, so it is not made again. */
  published: ReadonlyMap<number, string>;
  /**
   * Makes a file an asset now, before the job has ended, and gives its id: it stays whatever becomes of the job. `position` is its place
   * among the outputs, from 0. Report progress afterwards, so that whoever watches looks. For files that are one whole, use `outputs` instead.
   */
  publish(position: number, file: OutputFile): Promise<string>;
  /** What earlier attempts at this job wrote down with `remember`. */
  remembered: ReadonlyMap<string, string>;
  /** Writes down a few characters for later attempts, such as the id of a request that is paid for; null strikes them out. It is written when this resolves. */
  remember(name: string, note: string | null): Promise<void>;
  /** `percent` is 0 to 100; `stage` is a word or two for a person. Call as often as you like. */
  progress(percent: number, stage: string): void;
  compute: Compute;
  http: Http;
  config: Config;
}

export interface ProviderResult<Result> {
  result: Result;
  /** Files that become assets together with the end of the job, all or none. Their ids become `outputs` of the result, behind what was published. */
  outputs?: OutputFile[];
  peakMemoryBytes?: number;
  /** Takes back what the work left outside: called when the job was cancelled or ran out of time after all, although the work was done. */
  undo?(): Promise<void>;
}

/** Somebody who can do one operation. Failures are `ProviderError`s that say whether another try is worth it. */
export interface Provider<Parameters, Result> {
  name: string;
  /** Part of the result cache's key: another version is another answer. */
  version: string;
  /** The model that the settings choose, where they do; part of that key too. */
  model?(config: Config): string;
  /** Why it cannot run with these settings; null when it can. */
  unavailable(config: Config): string | null;
  /** SHA-256 of the model that it runs here, where the user brings one: another model is another answer too. */
  modelChecksum?(config: Config): Promise<string | null>;
  run(run: Run<Parameters>): Promise<ProviderResult<Result>>;
}

/** The job a result belongs to, for `keep`. */
export interface FinishedJob {
  id: string;
  ownerId: string;
  provider: string;
  modelVersion: string;
  inputIds: string[];
}

/** A kind of slow work. */
export interface Operation<Parameters = unknown, Result = unknown> {
  /** Kebab-case, a verb as a user says it. */
  name: string;
  title: string;
  description: string;
  inputs: { kind: AssetKind; min: number; max: number };
  parameters: z.ZodType<Parameters>;
  result: z.ZodType<Result>;
  /** In order of preference: without a wish the first available one runs. */
  providers: Provider<Parameters, Result>[];
  /** Its own JOB_TIMEOUT, where the general one does not suit it; JOB_TIMEOUTS overrules both. */
  timeoutMs?: number;
  /** The provider that the settings ask for by name. */
  preferred?(config: Config): string | undefined;
  /** Whether the result may answer for the same work later; one that an outage cut short may not. */
  isReusable?(result: Result): boolean;
  /** Whether each picture that is published gets an analyze job, so that search and similar know it. */
  analyzesOutputs?(parameters: Parameters): boolean;
  /** Writes what search needs. Runs inside the transaction that completes the job, and again at a cache hit, so it replaces rather than adds. */
  keep?(tx: Sql, job: FinishedJob, result: Result): Promise<void>;
}

/** Erases the types of an operation for the list; its schemas check at run time what the types said. */
export function defineOperation<Parameters, Result>(operation: Operation<Parameters, Result>): Operation {
  return operation as unknown as Operation;
}
