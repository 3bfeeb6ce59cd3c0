import { UserError } from '../errors.ts';

/** Of one picture, and of one filter. */
export const maxTags = 50;
const maxLength = 60;

/** A viewer's tags as they are kept: lower case, trimmed, each once. Refuses what is too much, and NUL, which Postgres cannot keep in text. */
export function cleanTags(tags: readonly string[]): string[] {
  const clean = [...new Set(tags.map((tag) => tag.trim().toLowerCase()).filter(Boolean))];
  if (clean.length > maxTags) throw new UserError('INVALID_INPUT', `Expected at most ${maxTags} tags but received ${clean.length}`);
  if (clean.some((tag) => tag.includes('\0'))) throw new UserError('INVALID_INPUT', 'Expected tags without NUL characters');
  const long = clean.find((tag) => tag.length > maxLength);
  if (long) throw new UserError('INVALID_INPUT', `Expected tags of at most ${maxLength} characters but received one of ${long.length}`);
  return clean;
}
