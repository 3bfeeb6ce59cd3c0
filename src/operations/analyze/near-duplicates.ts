import type { Prisma } from '../../database/generated/client.ts';
import { scanUntilFull } from '../../database/vectors.ts';
import type { AnalyzeResult } from './facts.ts';

/** At most this many pairs per picture are kept: the nearest. A chain of pairs still joins a larger group. */
const maxPairs = 50;
/** Cosines of `vd1` up to which two different photographs were never seen; measured on 1.1 million pairs. */
export const nearDuplicateCosine = 0.9;
/** Hamming distance of PDQ hashes up to which pictures count as copies (ThreatExchange's own bar). */
export const nearDuplicateDistance = 31;
/** PDQ hashes of pictures with almost no detail say nothing. */
export const minHashQuality = 50;

/** A hash in 64 hexadecimal digits as the text of a bit(256). */
export const hashBits = (hex: string): string => BigInt(`0x${hex}`).toString(2).padStart(256, '0');

/** Stores the hashes of a picture and its pairs with the owner's other pictures that look the same. */
export async function linkNearDuplicates(
  tx: Prisma.TransactionClient,
  { assetId, ownerId, hashes, embedding }: { assetId: string; ownerId: string; hashes: AnalyzeResult['measurements']['hashes']; embedding: AnalyzeResult['measurements']['embedding'] },
): Promise<void> {
  // Two copies analysed at the same moment would not see each other: one owner's links are made one after the other.
  await tx.$executeRaw`select pg_advisory_xact_lock(hashtextextended(${ownerId}, 0))`;
  await tx.$executeRaw`
    insert into image_hash (asset_id, owner_id, pdq, pdq_trimmed, quality)
    values (${assetId}::uuid, ${ownerId}, ${hashBits(hashes.pdq)}::text::bit(256), ${hashBits(hashes.pdqTrimmed)}::text::bit(256), ${Math.round(hashes.pdqQuality)})
    on conflict (asset_id) do update set pdq = excluded.pdq, pdq_trimmed = excluded.pdq_trimmed, quality = excluded.quality`;
  await tx.$executeRaw`delete from near_duplicate where asset_id = ${assetId}::uuid or other_id = ${assetId}::uuid`;
  await scanUntilFull(tx, maxPairs);
  await tx.$executeRaw`
    with me as (
      select hash.pdq, hash.pdq_trimmed, hash.quality, vector.embedding::vector(256) as embedding
      from image_hash hash join image_vector vector using (asset_id) where hash.asset_id = ${assetId}::uuid and vector.model = ${embedding.model}),
    by_hash as (
      select other.asset_id from image_hash other, me
      where other.owner_id = ${ownerId} and other.asset_id <> ${assetId}::uuid and least(other.quality, me.quality) >= ${minHashQuality}
        and (bit_count(other.pdq # me.pdq) <= ${nearDuplicateDistance} or bit_count(other.pdq_trimmed # me.pdq_trimmed) <= ${nearDuplicateDistance})
      limit ${maxPairs}),
    by_vector as (
      select asset_id from (
        select other.asset_id, other.embedding::vector(256) <=> (select embedding from me) as distance from image_vector other
        where other.owner_id = ${ownerId} and other.model = ${embedding.model} and other.asset_id <> ${assetId}::uuid
        order by distance limit ${maxPairs}) nearest
      where distance <= ${1 - nearDuplicateCosine}::float8),
    pairs as (
      select other.asset_id as other_id, least(bit_count(hash.pdq # me.pdq), bit_count(hash.pdq_trimmed # me.pdq_trimmed)) as distance,
        1 - (other.embedding::vector(256) <=> me.embedding) as cosine
      from (select asset_id from by_hash union select asset_id from by_vector) found
      join image_vector other on other.asset_id = found.asset_id and other.model = ${embedding.model}
      join image_hash hash on hash.asset_id = found.asset_id, me)
    insert into near_duplicate (asset_id, other_id, owner_id, distance, cosine)
    select ${assetId}::uuid, other_id, ${ownerId}, distance, cosine from pairs
    union all select other_id, ${assetId}::uuid, ${ownerId}, distance, cosine from pairs`;
}
