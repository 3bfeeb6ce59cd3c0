import { performance } from 'node:perf_hooks';
import process from 'node:process';
import pg from 'pg';
import { answer } from './side.js';

/** The one statement that has to be run, with its vector at hand and the settings made once. */
const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
await client.connect();
await client.query(`set hnsw.iterative_scan = 'strict_order'; set hnsw.ef_search = 200; set hnsw.max_scan_tuples = 200000`);
const text = `select image_vector.asset_id as "assetId", (image_vector.embedding::vector(256) <=> $1::text::vector(256)) as distance
  from image_vector join asset on asset.id = image_vector.asset_id
  where image_vector.model = 'vd1' and image_vector.owner_id = $2 and image_vector.asset_id <> $3::uuid and asset.owner_id = $2 and asset.kind = 'IMAGE'
  order by image_vector.embedding::vector(256) <=> $1::text::vector(256) limit $4`;

answer(async ({ id, vector, limit }) => {
  const startedAt = performance.now();
  const { rows } = await client.query(text, [vector, 'local', id, limit]);
  return { ms: performance.now() - startedAt, ids: rows.map((row) => row.assetId) };
});
