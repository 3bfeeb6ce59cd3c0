/** Everything a credential can be allowed, with what that is. Fields of the graph name the one they need; there is no other place where this is decided. */
export const scopes = {
  'images:read': 'See images and other files, what is known of them and their URLs; search.',
  'images:write': 'Upload (and analyse with it), change and delete them; includes images:read.',
  'jobs:read': 'See and watch jobs.',
  'jobs:write': 'Start, cancel and retry them; includes jobs:read.',
  'keys:read': 'See API keys, without their secrets.',
  'keys:write': 'Make and revoke them; includes keys:read. A key that is made allows no more than its maker.',
  admin: 'Everything, and the administration of all viewers.',
} as const;
export type Scope = keyof typeof scopes;

export const allScopes = Object.keys(scopes) as Scope[];
export const isScope = (text: string): text is Scope => Object.hasOwn(scopes, text);

/** What somebody with these scopes may do altogether: to write is to read, and an admin may do everything. */
export function withIncluded(granted: Iterable<Scope>): ReadonlySet<Scope> {
  const all = new Set(granted);
  if (all.has('admin')) return new Set(allScopes);
  for (const scope of [...all]) {
    const read = scope.replace(':write', ':read');
    if (isScope(read)) all.add(read);
  }
  return all;
}
