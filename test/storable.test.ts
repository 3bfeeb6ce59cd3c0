import { expect, test } from 'vitest';
import { storable } from '../src/jobs/storable.ts';

test('what Postgres cannot keep is replaced, wherever it is, and nothing else', () => {
  const odd = { text: 'x\0y', list: ['\ud800', '😀', 'a\\u0000b'], deep: { half: '\uDFFFz' } };
  expect(storable(odd)).toEqual({ text: 'x\ufffdy', list: ['\ufffd', '😀', 'a\\u0000b'], deep: { half: '\ufffdz' } });
  const plain = { numbers: [0.1, -2], text: '😀 \\ud800 "quoted"', nothing: null };
  expect(storable(plain)).toEqual(plain);
});
