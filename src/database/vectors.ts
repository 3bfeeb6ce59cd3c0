import { Prisma, type PrismaClient } from './generated/client.ts';

/**
 * Embeddings in pgvector. This lies beside the database, and not in search/, because analyze writes what search reads.
 * Embeddings have unit length; cosine similarity is 1 for the same direction; vectors of different models are never compared.
 */
type Client = PrismaClient | Prisma.TransactionClient;

/** The length of each model's vectors, and with it the index that serves it. */
const dimensions = { vd1: 256 } as const;
export type VectorModel = keyof typeof dimensions;

/** Up to this many vectors of one owner are compared one by one, which is exact and takes a few milliseconds. */
const exactUpTo = 5_000;

const literal = (values: readonly number[]) => `[${values.join(',')}]`;
const cast = (expression: Prisma.Sql, model: VectorModel) => Prisma.sql`${expression}::vector(${Prisma.raw(String(dimensions[model]))})`;

export async function storeVector(db: Client, { assetId, ownerId, model, values }: { assetId: string; ownerId: string; model: VectorModel; values: readonly number[] }): Promise<void> {
  await db.$executeRaw`
    insert into image_vector (asset_id, owner_id, model, embedding) values (${assetId}::uuid, ${ownerId}, ${model}, ${literal(values)}::text::vector)
    on conflict (asset_id, model) do update set embedding = excluded.embedding`;
}

export async function findVector(db: Client, assetId: string, model: VectorModel): Promise<number[] | null> {
  const [row] = await db.$queryRaw<{ values: string }[]>`select embedding::text as values from image_vector where asset_id = ${assetId}::uuid and model = ${model}`;
  return row ? (JSON.parse(row.values) as number[]) : null;
}

export interface Neighbour {
  assetId: string;
  /** 1 − cosine similarity, 0 to 2. Kept as the database computed it: a cursor must find its place again to the last bit. */
  distance: number;
}

export interface NearestQuery {
  ownerId: string;
  model: VectorModel;
  to: readonly number[];
  limit: number;
  /** Leaves this asset out: the one that is asked about. */
  except?: string | undefined;
  minCosine?: number | undefined;
  /** Goes on behind this neighbour. */
  after?: Neighbour | undefined;
  /** A condition on the row `asset`. */
  where?: Prisma.Sql | undefined;
}

/**
 * The owner's pictures nearest to `to`, the most similar first, ties by id. Exact for owners with up to 5,000 vectors; beyond that
 * through the HNSW index, whose scan goes on until the page is full however selective the filters are.
 */
export async function findNearest(db: PrismaClient, query: NearestQuery): Promise<Neighbour[]> {
  const { ownerId, model, to, limit, except, minCosine, after, where } = query;
  const target = cast(Prisma.sql`${literal(to)}::text`, model);
  const distance = Prisma.sql`(${cast(Prisma.sql`image_vector.embedding`, model)} <=> ${target})`;
  const conditions = [
    Prisma.sql`image_vector.model = ${model}`,
    Prisma.sql`image_vector.owner_id = ${ownerId}`,
    ...(except ? [Prisma.sql`image_vector.asset_id <> ${except}::uuid`] : []),
    ...(minCosine !== undefined ? [Prisma.sql`${distance} <= ${1 - minCosine}::float8`] : []),
    ...(after ? [Prisma.sql`(${distance}, image_vector.asset_id) > (${after.distance}::float8, ${after.assetId}::uuid)`] : []),
    ...(where ? [where] : []),
  ];
  const select = (order: Prisma.Sql, ready: Prisma.Sql) => db.$queryRaw<Neighbour[]>(Prisma.sql`
    select image_vector.asset_id as "assetId", ${distance} as distance
    from image_vector join asset on asset.id = image_vector.asset_id
    where ${Prisma.join([...conditions, ready], ' and ')}
    order by ${order} limit ${limit}`);
  return (await isSmall(db, ownerId, model))
    ? // Adding zero hides the distance from the index.
      select(Prisma.sql`${distance} + 0, image_vector.asset_id`, Prisma.sql`true`)
    : // Postgres answers a subquery of its own before it begins the scan, so the settings are in force without a transaction around them.
      select(distance, Prisma.sql`(${scanSettings(limit)}) is not null`);
}

async function isSmall(db: Client, ownerId: string, model: VectorModel): Promise<boolean> {
  const [count] = await db.$queryRaw<{ vectors: bigint }[]>`
    select count(*) as vectors from (select 1 from image_vector where owner_id = ${ownerId} and model = ${model} limit ${exactUpTo + 1}) counted`;
  return Number(count!.vectors) <= exactUpTo;
}

const scanSettings = (limit: number) => Prisma.sql`select set_config('hnsw.iterative_scan', 'strict_order', true) ||
  set_config('hnsw.ef_search', ${String(Math.min(1000, Math.max(200, limit * 2)))}, true) || set_config('hnsw.max_scan_tuples', '200000', true)`;

/** For the rest of this transaction an index scan goes on until its LIMIT is full; pgvector's default stops after 40 candidates. */
export async function scanUntilFull(tx: Prisma.TransactionClient, limit: number): Promise<void> {
  await tx.$executeRaw(scanSettings(limit));
}
