import { expect, test } from 'vitest';
import { cleanTags, maxTags } from '../src/assets/tags.ts';

test('tags are kept in lower case, trimmed, each once', () => {
  expect(cleanTags([' Cat', 'cat ', '', '  ', 'Dog'])).toEqual(['cat', 'dog']);
});

test('tags that cannot be kept are refused, and the sentence says why', () => {
  const many = Array.from({ length: maxTags + 1 }, (_, n) => `tag ${n}`);
  expect(() => cleanTags(many)).toThrow('Expected at most 50 tags but received 51');
  expect(() => cleanTags(['a', 'b'.repeat(61)])).toThrow('Expected tags of at most 60 characters but received one of 61');
  expect(() => cleanTags(['a', 'b\0c'])).toThrow('Expected tags without NUL characters');
  expect(cleanTags(many.slice(1))).toHaveLength(50);
});
