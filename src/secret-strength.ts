const placeholder = /super-secret-jwt-token|your-?.{0,12}-?(secret|key)|change-?.?me|example|placeholder|insert.?(your|a)|development|test-?secret|qwerty|letmein|123456789/i;
/** Half of what 32 random hexadecimal digits have. */
const leastBits = 64;

/** Why others could know or guess a secret; null for one that was made at random, as far as anybody can tell by looking. */
export function weaknessOf(secret: string): string | null {
  if (placeholder.test(secret)) return 'it looks like one from a manual';
  const once = /^(.+?)\1+$/.exec(secret.slice(0, 1_000))?.[1] ?? secret;
  return shannonBits(once) < leastBits ? 'it repeats itself too much to be random' : null;
}

/** Bits of a text if each character were drawn by its own frequency there: an upper bound, so a secret below it is weak for sure. */
function shannonBits(text: string): number {
  const counts = new Map<string, number>();
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  return [...counts.values()].reduce((bits, count) => bits - count * Math.log2(count / text.length), 0);
}
