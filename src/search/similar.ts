import type { Viewer } from '../access/viewer.ts';
import type { App } from '../app.ts';
import type { Measurements } from '../compute/measure.ts';
import { Prisma } from '../database/generated/client.ts';
import { findNearest, isCrowd, type Neighbour, type VectorModel } from '../database/vectors.ts';
import { UserError } from '../errors.ts';
import { hashBits, minHashQuality, nearDuplicateCosine, nearDuplicateDistance } from '../operations/analyze/near-duplicates.ts';
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

/** The picture that is asked about: a stored one, or measurements of one that is not. */
export interface Likeness {
  to: { assetId: string } | { vector: readonly number[]; hashes: Measurements['hashes'] };
  sha256: string;
  isCrowd: boolean;
}

/** What a stored image looks like. Throws NOT_FOUND, or says that it is not analysed yet. */
export async function likenessOf({ sql }: App, viewer: Viewer, assetId: string): Promise<Likeness> {
  const [image] = await sql.$queryRaw<{ sha256: string; isMeasured: boolean; isCrowd: boolean }[]>`
    select sha256, ${isCrowd(viewer.id, model)} as "isCrowd", exists (select from image_vector where asset_id = asset.id and model = ${model}) as "isMeasured"
    from asset where id = ${assetId}::uuid and owner_id = ${viewer.id} and kind = 'IMAGE'`;
  if (!image) throw new UserError('NOT_FOUND', 'There is no image with this id');
  if (!image.isMeasured) throw new UserError('INVALID_INPUT', 'This image has not been analysed yet, so nothing can be compared with it', { hint: 'Wait for its ANALYZE job to complete, or start one with analyzeImages' });
  return { to: { assetId }, sha256: image.sha256, isCrowd: image.isCrowd };
}

/** What a picture looks like that is not stored. */
export async function likenessOfMeasured({ sql }: App, viewer: Viewer, sha256: string, { embedding, hashes }: Measurements): Promise<Likeness> {
  const [row] = await sql.$queryRaw<{ isCrowd: boolean }[]>`select ${isCrowd(viewer.id, model)} as "isCrowd"`;
  return { to: { vector: embedding.values, hashes }, sha256, isCrowd: row!.isCrowd };
}

/** One page of the viewer's images most like the given one, the most similar first. */
export async function findSimilar(
  { sql }: App,
  viewer: Viewer,
  likeness: Likeness,
  { limit, minScore, filter, after }: { limit: number; minScore?: number | null; filter?: ImageFilter | null; after?: Neighbour | undefined },
): Promise<SimilarImage[]> {
  if (minScore != null && (minScore < 0 || minScore > 1)) throw new UserError('INVALID_INPUT', `Expected minScore between 0 and 1 but received ${minScore}`);
  const neighbours = await findNearest(sql, {
    ownerId: viewer.id,
    model,
    to: 'assetId' in likeness.to ? likeness.to : likeness.to.vector,
    isCrowd: likeness.isCrowd,
    limit,
    minCosine: minScore ?? undefined,
    after,
    where: imageConditions(viewer.id, filter ?? {}),
  });
  const comparisons = await compareHashes(sql, likeness, neighbours.map((neighbour) => neighbour.assetId));
  return neighbours.map((neighbour) => {
    const { sha256, hashDistance } = comparisons.get(neighbour.assetId) ?? { sha256: null, hashDistance: null };
    const score = 1 - neighbour.distance;
    return { ...neighbour, score, hashDistance, match: classify(score, sha256 === likeness.sha256, hashDistance) };
  });
}

function classify(cosine: number, sameBytes: boolean, hashDistance: number | null): MatchClass {
  if (sameBytes) return 'IDENTICAL';
  if (cosine >= nearDuplicateCosine || (hashDistance !== null && hashDistance <= nearDuplicateDistance)) return 'NEAR_DUPLICATE';
  return cosine >= similarCosine ? 'SIMILAR' : 'RELATED';
}

type Comparison = { sha256: string; hashDistance: number | null };

async function compareHashes(sql: App['sql'], { to }: Likeness, ids: string[]): Promise<Map<string, Comparison>> {
  if (ids.length === 0) return new Map();
  const mine = 'hashes' in to
    ? Prisma.sql`select ${hashBits(to.hashes.pdq)}::text::bit(256) as pdq, ${hashBits(to.hashes.pdqTrimmed)}::text::bit(256) as pdq_trimmed, ${Math.round(to.hashes.pdqQuality)}::int as quality`
    : Prisma.sql`select pdq, pdq_trimmed, quality from image_hash where asset_id = ${to.assetId}::uuid`;
  const rows = await sql.$queryRaw<(Comparison & { id: string })[]>(Prisma.sql`
    with mine as (${mine})
    select asset.id, asset.sha256,
      case when least(mine.quality, hash.quality) >= ${minHashQuality}
        then least(bit_count(hash.pdq # mine.pdq), bit_count(hash.pdq_trimmed # mine.pdq_trimmed))::int end as "hashDistance"
    from asset left join image_hash hash on hash.asset_id = asset.id left join mine on true
    where asset.id = any(${ids}::uuid[])`);
  return new Map(rows.map(({ id, ...comparison }) => [id, comparison]));
}
