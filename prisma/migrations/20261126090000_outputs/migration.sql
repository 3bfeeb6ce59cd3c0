-- DropIndex
DROP INDEX "asset_produced_by_id_idx";

-- AlterTable
ALTER TABLE "asset" ADD COLUMN "position" INTEGER,
ADD COLUMN "details" JSONB;

-- CreateIndex
CREATE UNIQUE INDEX "asset_produced_by_id_position_key" ON "asset"("produced_by_id", "position");

-- From here on: written by hand. Outputs of earlier versions, in the order their jobs named them.
update asset set position = named.position - 1
from (select job.id as job_id, output.id, output.position from job, jsonb_array_elements_text(job.result -> 'outputs') with ordinality output(id, position)
  where not job.cache_hit and jsonb_typeof(job.result -> 'outputs') = 'array') named
where asset.produced_by_id = named.job_id and asset.id::text = named.id;
