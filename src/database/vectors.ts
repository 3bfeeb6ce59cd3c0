import { Prisma } from './generated/client.ts';

/**
 * Embeddings in pgvector. This lies beside the database, and not in search/, because analyze writes what search reads.
 * Embeddings have unit length; cosine similarity is 1 for the same direction; vectors of different models are never compared.
 */
/** The length of each model's vectors, and with it the index that serves it. */
const dimensions = { vd1: 256 } as const;
export type VectorModel = keyof typeof dimensions;

/** Up to this many vectors of one owner are compared one by one, which is exact and takes a few milliseconds. */
const exactUpTo = 5_000;

const literal = (values: readonly number[]) => `[${values.join(',')}]`;
const cast = (expression: Prisma.Sql, model: VectorModel) => Prisma.sql`${expression}::vector(${Prisma.raw(String(dimensions[model]))})`;

/** An insert that stores or replaces the vector of an asset. */
export const storingVector = ({ assetId, ownerId, model, values }: { assetId: string; ownerId: string; model: VectorModel; values: readonly number[] }): Prisma.Sql => Prisma.sql`
  insert into image_vector (asset_id, owner_id, model, embedding) values (${assetId}::uuid, ${ownerId}, ${model}, ${literal(values)}::text::vector)
  on conflict (asset_id, model) do update set embedding = excluded.embedding`;

export interface Neighbour {
  assetId: string;
  /** 1 − cosine similarity, 0 to 2. Kept as the database computed it: a cursor must find its place again to the last bit. */
  distance: number;
}

export interface NearestQuery {
  ownerId: string;
  model: VectorModel;
  /** A vector, or the owner's asset that has it; that asset itself is left out. */
  to: readonly number[] | { assetId: string };
  limit: number;
  minCosine?: number | undefined;
  /** Goes on behind this neighbour. */
  after?: Neighbour | undefined;
  /** A condition on the row `asset`. */
  where?: Prisma.Sql | undefined;
}

/**
 * A select of `Neighbour`: the owner's pictures nearest to `to`, the most similar first, ties by id; none where the asset has no vector.
 * Exact for owners with up to 5,000 vectors; beyond that through the HNSW index, whose scan goes on until the page is full however
 * selective the filters are.
 */
export function nearest({ ownerId, model, to, limit, minCosine, after, where }: NearestQuery): Prisma.Sql {
  // A stored vector stays in the database: as text it is 3 KB to print, send, read, and send back.
  const sought = 'assetId' in to
    ? Prisma.sql`select ${cast(Prisma.sql`embedding`, model)} as vector from image_vector where asset_id = ${to.assetId}::uuid and model = ${model} and owner_id = ${ownerId}`
    : Prisma.sql`select ${cast(Prisma.sql`${literal(to)}::text`, model)} as vector`;
  const distance = Prisma.sql`(${cast(Prisma.sql`image_vector.embedding`, model)} <=> (select vector from sought))`;
  const conditions = [
    Prisma.sql`image_vector.model = ${model}`,
    Prisma.sql`image_vector.owner_id = ${ownerId}`,
    ...('assetId' in to ? [Prisma.sql`image_vector.asset_id <> ${to.assetId}::uuid`] : []),
    ...(minCosine !== undefined ? [Prisma.sql`${distance} <= ${1 - minCosine}::float8`] : []),
    ...(after ? [Prisma.sql`(${distance}, image_vector.asset_id) > (${after.distance}::float8, ${after.assetId}::uuid)`] : []),
    ...(where ? [where] : []),
  ];
  const select = (ready: Prisma.Sql, order: Prisma.Sql) => Prisma.sql`
    select image_vector.asset_id as "assetId", ${distance} as distance
    from image_vector join asset on asset.id = image_vector.asset_id
    where ${Prisma.join([ready, Prisma.sql`exists (select from sought)`, ...conditions], ' and ')}
    order by ${order} limit ${limit}`;
  // Only one of the two is run: Postgres answers subqueries of their own before it begins a scan. So the settings are in force without a
  // transaction around them, too. Adding zero hides the distance from the index.
  return Prisma.sql`
    with sought as materialized (${sought}), crowd as materialized (
      select exists (select from image_vector where owner_id = ${ownerId} and model = ${model} offset ${exactUpTo}) as is_one)
    (${select(Prisma.sql`(select is_one from crowd) and (${scanSettings(limit)}) is not null`, distance)})
    union all
    (${select(Prisma.sql`not (select is_one from crowd)`, Prisma.sql`${distance} + 0, image_vector.asset_id`)})`;
}

/** A subquery that nothing follows from but that, before the scan of its statement begins, an index scan goes on until its LIMIT is full; pgvector's default stops after 40 candidates. */
export const scanSettings = (limit: number) => Prisma.sql`select set_config('hnsw.iterative_scan', 'strict_order', true) ||
  set_config('hnsw.ef_search', ${String(Math.min(1000, Math.max(200, limit * 2)))}, true) || set_config('hnsw.max_scan_tuples', '200000', true)`;
