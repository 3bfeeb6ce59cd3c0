import pg from 'pg';

/** A viewer with `count` images, each with tags of its own and an analysis; made inside the database, where it takes a moment. */
export async function seedImages(databaseUrl: string, count: number): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query(`
      insert into asset (id, owner_id, kind, filename, content_type, byte_size, sha256, storage_key, width, height, format, thumb_hash, created_at)
      select id, 'local', 'IMAGE', 'picture-' || n || '.jpg', 'image/jpeg', 100000 + n, encode(sha256(id::text::bytea), 'hex'), 'originals/' || id, 1200, 800, 'JPEG', 'thumb', now() - n * interval '1 minute'
      from (select n, gen_random_uuid() as id from generate_series(1, ${count}) n) made`);
    await client.query(`
      insert into image_tag (asset_id, owner_id, name, source, confidence)
      select id, 'local', word, 'user', 1 from asset cross join unnest(array['beach', 'evening', 'family', 'holiday', 'sea']) word`);
    await client.query('analyze');
  } finally {
    await client.end();
  }
}
