import { randomUUID } from 'node:crypto';
import { indexWords } from '../../assets/words.ts';
import type { Prisma } from '../../database/generated/client.ts';
import { storeVector } from '../../database/vectors.ts';
import type { FinishedJob } from '../define.ts';
import { factsOf, type AnalyzeResult } from './facts.ts';
import { linkNearDuplicates } from './near-duplicates.ts';

/** Replaces what search knows of the picture: facts, tags, colours, hashes, vector, words and near-duplicates. */
export async function keepAnalysis(tx: Prisma.TransactionClient, job: FinishedJob, result: AnalyzeResult): Promise<void> {
  const [assetId] = job.inputIds;
  if (!assetId) throw new Error(`Expected an image for the analyze job ${job.id} but it was deleted`);
  const { ownerId } = job;
  const { measurements, words } = result;
  const row = { assetId, ownerId };

  const facts = factsOf(result);
  await tx.analysis.create({
    data: { ...row, id: randomUUID(), jobId: job.id, provider: words.source.provider, modelVersion: words.source.version, facts: facts as unknown as Prisma.InputJsonValue },
  });
  await tx.asset.update({ where: { id: assetId }, data: { thumbHash: measurements.placeholder.thumbHash } });
  await tx.imageTag.deleteMany({ where: { assetId, source: { not: 'user' } } });
  // A thing that was found is looked for by its name, be it a tag or not.
  const found = [...words.objects, ...words.brands, ...words.landmarks].map((thing) => ({ ...thing, source: words.source.provider }));
  await tx.imageTag.createMany({
    data: [...facts.tags, ...found].map(({ name, confidence, source }) => ({ ...row, name: name.toLowerCase(), confidence, source })),
    skipDuplicates: true,
  });
  await tx.imageColor.deleteMany({ where: { assetId } });
  await tx.imageColor.createMany({
    data: measurements.colors.palette.map(({ name, share, lab: [l, a, b] }, position) => ({ ...row, position, name, share, l, a, b })),
  });
  await storeVector(tx, { ...row, model: measurements.embedding.model, values: measurements.embedding.values });
  await linkNearDuplicates(tx, { ...row, hashes: measurements.hashes, embedding: measurements.embedding });
  await indexWords(tx, assetId);
}
