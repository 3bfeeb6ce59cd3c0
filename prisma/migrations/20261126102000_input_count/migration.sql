-- AlterTable
ALTER TABLE "job" ADD COLUMN     "input_count" INTEGER NOT NULL DEFAULT 0;

-- Of earlier jobs as many as they must have had. The guard lets no ended job change; nothing that it guards does.
alter table job disable trigger job_guard;
update job set input_count = greatest(
  (select max(position) + 1 from job_input where job_id = job.id),
  case when operation = 'generate' then 0 when operation = 'remove-background' and parameters->>'onImage' = 'true' then 2 else 1 end);
alter table job enable trigger job_guard;
