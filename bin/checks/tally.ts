export interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

/** The part of vitest's JSON report that is read here. */
export interface Report {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  testResults: FileReport[];
}
export interface FileReport {
  name: string;
  status: string;
  assertionResults: { status: string }[];
}

export const tallyOf = (report: Report): Tally => ({ passed: report.numPassedTests, failed: report.numFailedTests, skipped: report.numPendingTests + report.numTodoTests });

export function addTally(sum: Tally, more: Tally): void {
  sum.passed += more.passed;
  sum.failed += more.failed;
  sum.skipped += more.skipped;
}

/** A file that failed without a failed test: it could not be loaded, or its setup failed. */
export const isBroken = ({ status, assertionResults }: FileReport): boolean => status === 'failed' && !assertionResults.some((test) => test.status === 'failed');

/** All its tests were skipped. */
export const ranNothing = ({ assertionResults }: FileReport): boolean => assertionResults.every(({ status }) => status !== 'passed' && status !== 'failed');
