import { join } from 'node:path';
import pg from 'pg';
import { ask } from './client.ts';
import { alternate, median, round, thousands, type Bench, type Row } from './figure.ts';
import { startDarkroom, startSide } from './machine.ts';

const vectors = 100_000;
const clusters = 2_000;
const questions = 100;
const neighbours = 10;
const rounds = 9;
/** Until the engine has compiled what is asked. */
const warmUps = 5;
const query = `query ($id: ID!, $first: Int) { similarImages(to: { imageId: $id }, first: $first) { edges { score node { id filename } } } }`;

interface Answer {
  similarImages: { edges: { node: { id: string } }[] };
}

/** The ten images most like one of 100,000, through the API, against the bare statement and against looking at all. */
export async function figure({ folder, logFile, postgres }: Bench): Promise<Row[]> {
  const databaseUrl = await (await postgres()).createDatabase();
  const environment = { DATABASE_URL: databaseUrl, DATA_DIR: join(folder, 'data') };
  const darkroom = await startDarkroom(environment, { logFile });
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  const bare = await startSide('similar-bare', { environment, logFile });
  try {
    const buildSeconds = await fill(client);
    const { rows: asked } = await client.query<{ id: string; vector: string }>(`select asset_id as id, embedding::text as vector from image_vector order by md5(asset_id::text) limit ${questions}`);

    const throughApi = async (id: string) => {
      const startedAt = performance.now();
      const { similarImages } = await ask<Answer>(darkroom.url, query, { id: Buffer.from(`Image:${id}`).toString('base64'), first: neighbours });
      const ms = performance.now() - startedAt;
      return { ms, ids: similarImages.edges.map(({ node }) => Buffer.from(node.id, 'base64').toString().slice('Image:'.length)) };
    };
    const api = () => inTurn(asked, ({ id }) => throughApi(id));
    const sql = () => inTurn(asked, ({ id, vector }) => bare.ask<{ ms: number; ids: string[] }>({ id, vector, limit: neighbours + 1 }));
    for (let k = 0; k < warmUps; k++) {
      await api();
      await sql();
    }
    const results = await alternate(rounds, { api, sql });
    const p50 = (name: 'api' | 'sql') => median(results[name].flat().map((result) => result.ms));

    const exact = await inTurn(asked, ({ id, vector }) => exactNeighbours(client, id, vector));
    const found = results.api[0]!.map(({ ids }, index) => ids.filter((id) => exact[index]!.has(id)).length);
    const recall = found.reduce((sum, hits) => sum + hits, 0) / (questions * neighbours);
    const ratio = p50('api') / p50('sql');
    return [
      {
        what: `similarImages over ${thousands(vectors)} vectors, p50`, ours: `${round(p50('api'), 1)} ms`, beside: `bare SQL ${round(p50('sql'), 1)} ms`, ratio: round(ratio), bar: 'within 2×', holds: ratio <= 2,
        note: `One question at a time, ${questions} images in ${rounds} alternated rounds, after ${warmUps} to warm up. Bare SQL is the one statement through node-postgres with its vector given; Darkroom also reads the image's vector over HTTP and GraphQL, compares hashes and loads the ${neighbours} images. ` +
          `Vectors of 256 numbers around ${thousands(clusters)} centres, HNSW as in the migration, built in ${round(buildSeconds, 0)} s.`,
      },
      { what: `similarImages, recall@${neighbours}`, ours: round(recall, 3), beside: 'exact 1.000', ratio: round(recall), bar: '≥ 0.95', holds: recall >= 0.95, note: 'Against looking at all vectors in the database, the same questions.' },
    ];
  } finally {
    await bare.stop();
    await client.end();
    await darkroom.stop();
  }
}

async function inTurn<Item, Result>(items: Item[], work: (item: Item) => Promise<Result>): Promise<Result[]> {
  const results: Result[] = [];
  for (const item of items) results.push(await work(item));
  return results;
}

/** Makes the pictures inside the database; the index is built afterwards, which takes a tenth of the time. Gives the seconds of that. */
async function fill(client: pg.Client): Promise<number> {
  const { rows: indexes } = await client.query<{ name: string; definition: string }>(`select indexname as name, indexdef as definition from pg_indexes where tablename = 'image_vector' and indexdef like '%hnsw%'`);
  for (const { name } of indexes) await client.query(`drop index ${name}`);
  await client.query(`
    create temporary table made as select n, gen_random_uuid() as id from generate_series(1, ${vectors}) n;
    insert into asset (id, owner_id, kind, filename, content_type, byte_size, sha256, storage_key, width, height, format, created_at)
      select id, 'local', 'IMAGE', 'picture-' || n || '.jpg', 'image/jpeg', 100000, encode(sha256(id::text::bytea), 'hex'), 'originals/' || id, 1200, 800, 'JPEG', now() - n * interval '1 second' from made;
    insert into image_hash (asset_id, owner_id, pdq, pdq_trimmed, quality) select id, 'local', repeat('01', 128)::bit(256), repeat('01', 128)::bit(256), 100 from made;
    create temporary table centre as
      select c, array_agg(random() - 0.5 order by d) as place from generate_series(1, ${clusters}) c, generate_series(1, 256) d group by c;
    insert into image_vector (asset_id, owner_id, model, embedding)
      select id, 'local', 'vd1', l2_normalize((select array_agg((value + (random() - 0.5))::real) from unnest(place) value where n > 0)::vector) from made join centre on c = 1 + n % ${clusters}`);
  const startedAt = performance.now();
  await client.query(`set maintenance_work_mem = '1GB'; set max_parallel_maintenance_workers = 2`);
  for (const { definition } of indexes) await client.query(definition);
  // As autovacuum leaves it in a while, in place of while we measure.
  await client.query('vacuum analyze');
  return (performance.now() - startedAt) / 1000;
}

async function exactNeighbours(client: pg.Client, id: string, vector: string): Promise<Set<string>> {
  const { rows } = await client.query<{ id: string }>(
    `select asset_id as id from image_vector where owner_id = 'local' and model = 'vd1' and asset_id <> $2::uuid order by (embedding::vector(256) <=> $1::text::vector(256)) + 0 limit ${neighbours}`,
    [vector, id],
  );
  return new Set(rows.map((row) => row.id));
}
