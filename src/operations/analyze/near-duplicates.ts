import { minHashQuality } from '../../compute/pdq.ts';
import { Prisma } from '../../database/generated/client.ts';
import type { Sql } from '../../database/sql.ts';
import { scanSettings, type VectorModel } from '../../database/vectors.ts';
import type { AnalyzeResult } from './facts.ts';

/** At most this many pairs per picture are kept: the nearest. A chain of pairs still joins a larger group. */
const maxPairs = 50;
/** Cosines of `vd1` up to which two different photographs were never seen; measured on 1.1 million pairs. */
export const nearDuplicateCosine = 0.9;
/** Hamming distance of PDQ hashes up to which pictures count as copies (ThreatExchange's own bar). */
export const nearDuplicateDistance = 31;

/** A hash in 64 hexadecimal digits as the text of a bit(256). */
export const hashBits = (hex: string): string => BigInt(`0x${hex}`).toString(2).padStart(256, '0');

type Hashes = AnalyzeResult['measurements']['hashes'];

/** An insert that stores or replaces the hashes of a picture. */
export const storingHashes = ({ assetId, ownerId, hashes }: { assetId: string; ownerId: string; hashes: Hashes }): Prisma.Sql => Prisma.sql`
  insert into image_hash (asset_id, owner_id, pdq, pdq_trimmed, quality)
  values (${assetId}::uuid, ${ownerId}, ${hashBits(hashes.pdq)}::text::bit(256), ${hashBits(hashes.pdqTrimmed)}::text::bit(256), ${Math.round(hashes.pdqQuality)})
  on conflict (asset_id) do update set pdq = excluded.pdq, pdq_trimmed = excluded.pdq_trimmed, quality = excluded.quality`;

/** A call that makes one owner's links one after the other until the transaction ends: two copies analysed at the same moment would not see each other. */
export const lockLinks = (ownerId: string): Prisma.Sql => Prisma.sql`pg_advisory_xact_lock(hashtextextended(${ownerId}, 0))`;

/** Links a picture, whose hashes and vector are stored and whose owner's links are locked, with the owner's other pictures that look the same. */
export async function linkNearDuplicates(tx: Sql, { assetId, ownerId, model }: { assetId: string; ownerId: string; model: VectorModel }): Promise<void> {
  await tx.$executeRaw`
    with me as (
      select hash.asset_id, hash.owner_id, hash.pdq, hash.pdq_trimmed, hash.quality, vector.embedding::vector(256) as embedding
      from image_hash hash join image_vector vector using (asset_id) where hash.asset_id = ${assetId}::uuid and vector.model = ${model}),
    by_hash as (
      select other.asset_id from image_hash other, me
      where other.owner_id = ${ownerId} and other.asset_id <> me.asset_id and least(other.quality, me.quality) >= ${minHashQuality}
        and (bit_count(other.pdq # me.pdq) <= ${nearDuplicateDistance} or bit_count(other.pdq_trimmed # me.pdq_trimmed) <= ${nearDuplicateDistance})
      order by least(bit_count(other.pdq # me.pdq), bit_count(other.pdq_trimmed # me.pdq_trimmed)), other.asset_id limit ${maxPairs}),
    by_vector as (
      select asset_id from (
        select other.asset_id, other.embedding::vector(256) <=> (select embedding from me) as distance from image_vector other
        where (${scanSettings(maxPairs)}) is not null and other.owner_id = ${ownerId} and other.model = ${model} and other.asset_id <> ${assetId}::uuid
        order by distance limit ${maxPairs}) nearest
      where distance <= ${1 - nearDuplicateCosine}::float8),
    pairs as (
      select me.asset_id, other.asset_id as other_id, me.owner_id, least(bit_count(hash.pdq # me.pdq), bit_count(hash.pdq_trimmed # me.pdq_trimmed)) as distance,
        1 - (other.embedding::vector(256) <=> me.embedding) as cosine
      from (select asset_id from by_hash union select asset_id from by_vector) found
      join image_vector other on other.asset_id = found.asset_id and other.model = ${model}
      join image_hash hash on hash.asset_id = found.asset_id, me),
    links as (
      select asset_id, other_id, owner_id, distance, cosine from pairs union all select other_id, asset_id, owner_id, distance, cosine from pairs),
    gone as (
      delete from near_duplicate link where ${assetId}::uuid in (asset_id, other_id)
        and not exists (select from links where links.asset_id = link.asset_id and links.other_id = link.other_id))
    insert into near_duplicate (asset_id, other_id, owner_id, distance, cosine) select * from links
    on conflict (asset_id, other_id) do update set distance = excluded.distance, cosine = excluded.cosine`;
}
