import { createLog } from '../src/log.ts';
import { s3Storage } from '../src/storage/s3.ts';
import { startStrictS3 } from './fixtures/strict-s3.ts';
import { describeStorage } from './storage-contract.ts';

describeStorage('S3, a strict one', async () => {
  const store = await startStrictS3();
  const storage = await s3Storage({ ...store, publicEndpoint: store.endpoint, region: 'us-east-1', pathStyle: true, encryption: 'AES256' }, createLog('silent'));
  return {
    storage,
    async close() {
      await storage.close();
      await store.close();
    },
  };
});
