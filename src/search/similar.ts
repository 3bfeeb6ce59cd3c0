import type { Viewer } from '../access/viewer.ts';
import type { App } from '../app.ts';
import type { Measurements } from '../compute/measure.ts';
import { minHashQuality } from '../compute/pdq.ts';
import { Prisma } from '../database/generated/client.ts';
import { type Neighbour, nearest, type VectorModel } from '../database/vectors.ts';
import { noImage, UserError } from '../errors.ts';
import { hashBits, nearDuplicateCosine, nearDuplicateDistance } from '../operations/analyze/near-duplicates.ts';
import { imageConditions, type ImageFilter } from './filter.ts';

/** Cosine from which on two pictures look alike to most people. */
const similarCosine = 0.6;

export type MatchClass = 'IDENTICAL' | 'NEAR_DUPLICATE' | 'SIMILAR' | 'RELATED';

export interface SimilarImage extends Neighbour {
  /** Cosine similarity, -1 to 1. */
  score: number;
  match: MatchClass;
  /** Hamming distance of the PDQ hashes, 0 to 256; null where a hash says nothing because the picture has too little detail. */
  hashDistance: number | null;
}

const model: VectorModel = 'vd1';

/** The picture that is asked about: a stored one of the viewer, or one that is not stored and was measured. */
export type Likeness = { assetId: string } | { sha256: string; measurements: Pick<Measurements, 'embedding' | 'hashes'> };

/** One page of the viewer's images most like the given one, the most similar first. Throws NOT_FOUND, or says that the image is not analysed yet. */
export async function findSimilar(
  { sql }: App,
  viewer: Viewer,
  likeness: Likeness,
  { limit, minScore, filter, after }: { limit: number; minScore?: number | null; filter?: ImageFilter | null; after?: Neighbour | undefined },
): Promise<SimilarImage[]> {
  if (minScore != null && (minScore < 0 || minScore > 1)) throw new UserError('INVALID_INPUT', `Expected minScore between 0 and 1 but received ${minScore}`);
  const near = nearest({
    ownerId: viewer.id,
    model,
    to: 'assetId' in likeness ? likeness : likeness.measurements.embedding.values,
    limit,
    minCosine: minScore ?? undefined,
    after,
    where: imageConditions(viewer.id, filter ?? {}),
  });
  const rows = await sql.$queryRaw<(Neighbour & { isSame: boolean; hashDistance: number | null })[]>(Prisma.sql`
    with near as (${near}), mine as (${hashesOf(likeness)})
    select near.*, asset.sha256 = mine.sha256 as "isSame",
      case when least(mine.quality, hash.quality) >= ${minHashQuality}
        then least(bit_count(hash.pdq # mine.pdq), bit_count(hash.pdq_trimmed # mine.pdq_trimmed))::int end as "hashDistance"
    from near join asset on asset.id = near."assetId" left join image_hash hash on hash.asset_id = asset.id cross join mine
    order by near.distance, near."assetId"`);
  if (rows.length === 0 && 'assetId' in likeness) await mustBeMeasured(sql, viewer, likeness.assetId);
  return rows.map(({ assetId, distance, isSame, hashDistance }) => ({ assetId, distance, score: 1 - distance, hashDistance, match: classify(1 - distance, isSame, hashDistance) }));
}

function hashesOf(likeness: Likeness): Prisma.Sql {
  if ('assetId' in likeness) return Prisma.sql`select sha256, pdq, pdq_trimmed, quality from asset left join image_hash on asset_id = id where id = ${likeness.assetId}::uuid`;
  const { sha256, measurements: { hashes } } = likeness;
  return Prisma.sql`select ${sha256}::text as sha256, ${hashBits(hashes.pdq)}::text::bit(256) as pdq, ${hashBits(hashes.pdqTrimmed)}::text::bit(256) as pdq_trimmed, ${Math.round(hashes.pdqQuality)}::int as quality`;
}

/** Why there is nothing like it. */
async function mustBeMeasured(sql: App['sql'], viewer: Viewer, assetId: string): Promise<void> {
  const [image] = await sql.$queryRaw<{ isMeasured: boolean }[]>`
    select exists (select from image_vector where asset_id = asset.id and model = ${model}) as "isMeasured"
    from asset where id = ${assetId}::uuid and owner_id = ${viewer.id} and kind = 'IMAGE'`;
  if (!image) throw noImage();
  if (!image.isMeasured) throw new UserError('INVALID_INPUT', 'This image has not been analysed yet, so nothing can be compared with it', { hint: 'Wait for its ANALYZE job to complete, or start one with analyzeImages' });
}

function classify(cosine: number, sameBytes: boolean, hashDistance: number | null): MatchClass {
  if (sameBytes) return 'IDENTICAL';
  if (cosine >= nearDuplicateCosine || (hashDistance !== null && hashDistance <= nearDuplicateDistance)) return 'NEAR_DUPLICATE';
  return cosine >= similarCosine ? 'SIMILAR' : 'RELATED';
}
