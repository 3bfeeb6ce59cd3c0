import type { Viewer } from '../access/viewer.ts';
import type { App } from '../app.ts';
import { mustBeThere, UserError } from '../errors.ts';
import { expiryOf, type Verdict, verifyPath } from '../storage/signature.ts';

export const archivePrefix = '/archives/';
/** More ids than this would not fit into a URL that everybody takes. */
export const maxArchived = 100;

/** What a signed URL grants: these files as one zip. The ids are in the URL, so that it means the same for as long as it works. */
export interface ArchiveGrant {
  assetIds: string[];
  name: string;
  expires: number;
}

/** Where to get files as one zip, of assets that are known to be the viewer's. Costs no call to anything. */
export function signArchive({ signUrl }: Pick<App, 'signUrl'>, assetIds: readonly string[], { name, expiresInSeconds }: { name: string; expiresInSeconds: number }): { url: string; expiresAt: Date } {
  const expires = expiryOf(expiresInSeconds);
  const query = new URLSearchParams({ assets: pack(assetIds), name, expires: String(expires) });
  return { url: signUrl(`${archivePrefix}zip?${query}`), expiresAt: new Date(expires * 1000) };
}

export function verifyArchive(secret: string, pathAndQuery: string): Verdict<ArchiveGrant> {
  const verdict = verifyPath(secret, pathAndQuery);
  if ('refused' in verdict) return verdict;
  const { url: { searchParams }, expires } = verdict.grant;
  return { grant: { assetIds: unpack(searchParams.get('assets') ?? ''), name: searchParams.get('name') ?? '', expires } };
}

/** The ids, each once, of assets that all are the viewer's: an archive is whole or it is not. */
export async function checkArchived({ db }: Pick<App, 'db'>, viewer: Viewer, ids: readonly string[]): Promise<string[]> {
  const wanted = [...new Set(ids)];
  if (wanted.length < 1 || wanted.length > maxArchived) throw new UserError('INVALID_INPUT', `Expected 1 to ${maxArchived} files for an archive but received ${wanted.length}`);
  mustBeThere('file', 'ids', ids, await db.asset.findMany({ where: { id: { in: wanted }, ownerId: viewer.id }, select: { id: true } }));
  return wanted;
}

/** Twenty-two characters for each id, in place of thirty-seven. */
const pack = (ids: readonly string[]) => Buffer.from(ids.join('').replaceAll('-', ''), 'hex').toString('base64url');

function unpack(text: string): string[] {
  const ids = Buffer.from(text, 'base64url').toString('hex').match(/.{32}/g) ?? [];
  return ids.map((id) => id.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'));
}
