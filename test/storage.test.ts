import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { diskStorage } from '../src/storage/disk.ts';
import { describeStorage } from './storage-contract.ts';

describeStorage('disk', async () => {
  const root = await mkdtemp(join(tmpdir(), 'darkroom-storage-'));
  const storage = await diskStorage({ root, publicUrl: () => 'http://localhost:4000', secret: 'a secret of the tests, long enough' });
  return {
    storage,
    async close() {
      await storage.close();
      await rm(root, { recursive: true });
    },
  };
});
