import { randomUUID } from 'node:crypto';
import { type Searched, writeWords } from '../../assets/words.ts';
import type { Sql } from '../../database/sql.ts';
import { storingVector } from '../../database/vectors.ts';
import type { FinishedJob } from '../define.ts';
import { factsOf, type AnalyzeResult } from './facts.ts';
import { linkNearDuplicates, lockLinks, storingHashes } from './near-duplicates.ts';

type Kept = Omit<Searched, 'tags' | 'facts'> & { userTags: string[] };

/**
 * Replaces what search knows of the picture: facts, tags, colours, hashes, vector, words and near-duplicates. It happens for every picture,
 * so that it takes few statements; what a statement deletes it does not insert as well, because the order of the two would be open.
 */
export async function keepAnalysis(tx: Sql, job: FinishedJob, result: AnalyzeResult): Promise<void> {
  const [assetId] = job.inputIds;
  if (!assetId) throw new Error(`Expected an image for the analyze job ${job.id} but it was deleted`);
  const { ownerId } = job;
  const { measurements: { placeholder, colors, hashes, embedding: { model, values } }, words } = result;
  const row = { assetId, ownerId };
  const facts = factsOf(result);
  const tags = tagsOf(result, facts);
  const palette = colors.palette.map(({ name, share, lab: [l, a, b] }, position) => ({ position, name, share, l, a, b }));

  const [asset] = await tx.$queryRaw<Kept[]>`
    with analysis as (
      insert into analysis (id, asset_id, owner_id, job_id, provider, model_version, facts)
      values (${randomUUID()}::uuid, ${assetId}::uuid, ${ownerId}, ${job.id}::uuid, ${words.source.provider}, ${words.source.version}, ${JSON.stringify(facts)}::jsonb)),
    tag as (select source, name, confidence from json_to_recordset(${JSON.stringify(tags)}::json) as tag (source text, name text, confidence real)),
    gone_tags as (
      delete from image_tag where asset_id = ${assetId}::uuid and source <> 'user' and (source, name) not in (select source, name from tag)),
    kept_tags as (
      insert into image_tag (asset_id, owner_id, source, name, confidence) select ${assetId}::uuid, ${ownerId}, source, name, confidence from tag
      on conflict (asset_id, source, name) do update set confidence = excluded.confidence),
    gone_colors as (delete from image_color where asset_id = ${assetId}::uuid and position >= ${palette.length}),
    kept_colors as (
      insert into image_color (asset_id, owner_id, position, name, share, l, a, b) select ${assetId}::uuid, ${ownerId}, position, name, share, l, a, b
      from json_to_recordset(${JSON.stringify(palette)}::json) as color (position int, name text, share real, l real, a real, b real)
      on conflict (asset_id, position) do update set name = excluded.name, share = excluded.share, l = excluded.l, a = excluded.a, b = excluded.b),
    vector as (${storingVector({ ...row, model, values })}),
    hash as (${storingHashes({ ...row, hashes })}),
    shown as (update asset set thumb_hash = ${placeholder.thumbHash} where id = ${assetId}::uuid returning filename, kind, details, title, alt_text)
    select filename, kind::text, details, title, alt_text as "altText", ${lockLinks(ownerId)}::text as locked,
      (select coalesce(json_agg(name), '[]') from image_tag where asset_id = ${assetId}::uuid and source = 'user') as "userTags" from shown`;
  if (!asset) throw new Error(`Expected an image for the analyze job ${job.id} but it was deleted`);
  await linkNearDuplicates(tx, { ...row, model });
  await writeWords(tx, { ...row, ...asset, tags: [...asset.userTags, ...tags.map(({ name }) => name)], facts });
}

/** A thing that was found is looked for by its name, be it a tag or not. Of several with one name and source the first counts. */
function tagsOf({ words: { source: { provider }, objects, brands, landmarks } }: AnalyzeResult, { tags }: ReturnType<typeof factsOf>) {
  const found = [...objects, ...brands, ...landmarks].map(({ name, confidence }) => ({ name, confidence, source: provider }));
  const unique = new Map<string, { source: string; name: string; confidence: number }>();
  for (const { source, name, confidence } of [...tags, ...found]) {
    const key = JSON.stringify([source, name.toLowerCase()]);
    if (!unique.has(key)) unique.set(key, { source, name: name.toLowerCase(), confidence });
  }
  return [...unique.values()];
}
