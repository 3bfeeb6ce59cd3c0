import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createRequire } from 'node:module';

export const RUNTIME = 'onnxruntime-node';
/** What makes it present. Its own install script fetches CUDA, which nobody needs here. */
export const installRuntime = `npm install --ignore-scripts ${RUNTIME}@1.30.0`;

const require = createRequire(import.meta.url);

/** Whether the runtime for models is there, without loading it. */
export function hasRuntime(): boolean {
  try {
    require.resolve(RUNTIME);
    return true;
  } catch {
    return false;
  }
}

interface Known {
  version: string;
  sha256: Promise<string>;
}
const known = new Map<string, Known>();

/** SHA-256 of a model file, read again only where it has changed; null where there is no such file. */
export async function checksumOf(path: string): Promise<string | null> {
  const facts = await stat(path).catch(() => null);
  if (!facts?.isFile()) return null;
  const version = `${facts.mtimeMs} ${facts.size}`;
  const earlier = known.get(path);
  if (earlier?.version === version) return earlier.sha256;
  const sha256 = readChecksum(path);
  known.set(path, { version, sha256 });
  sha256.catch(() => known.delete(path));
  return sha256;
}

async function readChecksum(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
