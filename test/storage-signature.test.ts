import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expiryOf, readSigningSecret, signGrant, verifyGrant } from '../src/storage/signature.ts';

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'darkroom-signature-'))));
afterAll(() => rm(folder, { recursive: true }));

describe('signed URLs', () => {
  test.each([
    { key: 'originals/0199a7c2-3b1e', expires: 2_000_000_000, inline: false },
    { key: 'processed/a/b.c', expires: 1_999_999_999, inline: true },
    { key: 'processed/x', expires: 2_000_000_000, inline: false, name: `č&name=b?#/"'%00 +\n` },
    { key: 'processed/x', expires: 2_000_000_000, inline: false, name: '' },
    { key: 'processed/x', expires: 2_000_000_000, inline: false, name: 'a&signature=b' },
  ])('what is granted is what is read: %j', (grant) => {
    const url = signGrant('secret', grant);
    expect(verifyGrant('secret', url)).toEqual({ grant: { name: undefined, ...grant } });
    // A browser, a proxy or `fetch` parses the URL and prints it again.
    const { pathname, search } = new URL(url, 'https://files.example');
    expect(pathname + search).toBe(url);
  });

  test('a grant lasts until its moment, and not longer', () => {
    const url = signGrant('secret', { key: 'a/b', expires: 1000, inline: true });
    expect(verifyGrant('secret', url, new Date(999_999))).toHaveProperty('grant');
    expect(verifyGrant('secret', url, new Date(1_000_000))).toEqual({ refused: 'EXPIRED' });
    expect(verifyGrant('other', url, new Date(1_000_000))).toEqual({ refused: 'WRONG' });
  });

  test('a URL lives at least as long as asked, at most a quarter longer, and changes seldom', () => {
    const start = 1_900_000_000;
    for (const asked of [1, 2, 10, 60, 600, 3600, 86_400]) {
      const expiries = new Set<number>();
      for (let second = 0; second < 600; second++) {
        const expires = expiryOf(asked, new Date((start + second) * 1000 + 137));
        const lives = expires - (start + second + 0.137);
        expect(lives).toBeGreaterThanOrEqual(asked);
        expect(lives).toBeLessThanOrEqual(Math.max(asked * 1.25, asked + 1));
        expiries.add(expires);
      }
      if (asked >= 1200) expect(expiries.size).toBeLessThanOrEqual(3);
    }
  });
});

describe('the signing secret', () => {
  test('is made once, for all who ask at the same time, readable by nobody else', async () => {
    const dataDir = join(folder, 'new');
    const secrets = await Promise.all(Array.from({ length: 20 }, () => readSigningSecret(dataDir)));
    expect(new Set(secrets).size).toBe(1);
    expect(secrets[0]).toMatch(/^[0-9a-f]{64}$/);
    expect(await readSigningSecret(dataDir)).toBe(secrets[0]);
    expect(await readdir(dataDir)).toEqual(['signing-secret']);
    expect((await stat(join(dataDir, 'signing-secret'))).mode & 0o777).toBe(0o600);
    expect(await readSigningSecret(join(folder, 'other'))).not.toBe(secrets[0]);
  });

  test('that is given wins, and none is made', async () => {
    expect(await readSigningSecret(join(folder, 'given'), 'a secret that somebody has given')).toBe('a secret that somebody has given');
    expect(await readdir(folder)).not.toContain('given');
  });

  test('that is damaged is refused in a sentence without the secret', async () => {
    const path = join(folder, 'signing-secret');
    await writeFile(path, 'too short');
    await expect(readSigningSecret(folder)).rejects.toThrow(`Expected 64 hexadecimal digits in ${path} but received 9 characters; delete the file`);
    expect(await readFile(path, 'utf8')).toBe('too short');
  });
});
