import { join } from 'node:path';
import { buildOnce, hasDebianTools, unpackPackages, writeLauncher } from './debian.ts';
import { findProgram } from './process.ts';

/** A Chromium to run without a screen: the machine's own, or on Debian one that is unpacked into `.cache/chromium`. */
export async function chromiumPath(): Promise<string> {
  const installed = findProgram('chromium') ?? findProgram('google-chrome') ?? findProgram('Google Chrome', ['/Applications/Google Chrome.app/Contents/MacOS']);
  if (installed) return installed;
  if (!hasDebianTools()) throw new Error('Expected Chromium or Chrome on this machine but found none: install one of them');
  try {
    const folder = await buildOnce('chromium', async (folder) => {
      await unpackPackages(folder, ['chromium-headless-shell', 'chromium-common']);
      await writeLauncher(folder, 'usr/lib/chromium/chromium-headless-shell');
    });
    return join(folder, 'chromium-headless-shell');
  } catch (error) {
    throw new Error('Expected chromium on the PATH but found none, and its package could not be fetched: run `apt-get install chromium` or check the network', { cause: error });
  }
}
