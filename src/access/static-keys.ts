import { z } from 'zod';
import { allScopes, isScope, type Scope } from './scopes.ts';

/** A key of a program that the settings name. Its viewer is its name. */
export interface StaticKey {
  name: string;
  secret: string;
  scopes: Scope[];
}

/** NAME:SECRET or NAME:SECRET:SCOPES, separated by commas. What is wrong with a key is told without the key. */
export const staticKeys = z.string().transform((text, context): StaticKey[] => {
  const entries = text.split(',').map((entry) => entry.trim()).filter(Boolean);
  const keys = entries.map((entry, index) => {
    const complain = (what: string) => context.addIssue(`Expected ${what} in key ${index + 1}`);
    const [, name = '', secret = '', granted] = /^([^:]*):([^:]*)(?::(.*))?$/.exec(entry) ?? [];
    if (!/^[\w.@-]{1,100}$/.test(name)) complain('NAME:SECRET or NAME:SECRET:SCOPES with a name of letters, digits, and . _ - @');
    if (!/^[\x21-\x7e]{32,200}$/.test(secret)) complain('a secret of 32 to 200 visible ASCII characters without colon and comma');
    const scopes = granted === undefined ? allScopes.filter((scope) => scope !== 'admin') : granted.trim().split(/\s+/);
    if (!scopes.every(isScope)) complain(`scopes separated by spaces out of ${allScopes.join(', ')}`);
    return { name, secret, scopes: scopes.filter(isScope) };
  });
  if (new Set(keys.map(({ name }) => name)).size < keys.length) context.addIssue('Expected every key to have a name of its own');
  return keys;
});
