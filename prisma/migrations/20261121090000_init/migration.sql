-- pgvector: Darkroom compares pictures inside the database.
create extension if not exists vector;

-- CreateEnum
CREATE TYPE "asset_kind" AS ENUM ('IMAGE', 'MODEL_3D', 'AUDIO');

-- CreateEnum
CREATE TYPE "job_status" AS ENUM ('PENDING', 'PROCESSING', 'COMPLETED', 'FAILED', 'CANCELLED');

-- CreateTable
CREATE TABLE "asset" (
    "id" UUID NOT NULL,
    "owner_id" TEXT NOT NULL,
    "kind" "asset_kind" NOT NULL,
    "filename" TEXT NOT NULL,
    "content_type" TEXT NOT NULL,
    "byte_size" INTEGER NOT NULL,
    "sha256" CHAR(64) NOT NULL,
    "storage_key" TEXT NOT NULL,
    "produced_by_id" UUID,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT now(),
    "width" INTEGER,
    "height" INTEGER,
    "format" TEXT,
    "frames" INTEGER,
    "has_alpha" BOOLEAN,
    "damaged" BOOLEAN NOT NULL DEFAULT false,
    "taken_at" TIMESTAMPTZ(3),
    "exif" JSONB,
    "thumb_hash" TEXT,
    "title" TEXT,
    "alt_text" TEXT,
    "metadata" JSONB,

    CONSTRAINT "asset_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "job" (
    "id" UUID NOT NULL,
    "owner_id" TEXT NOT NULL,
    "operation" TEXT NOT NULL,
    "provider" TEXT NOT NULL,
    "model_version" TEXT,
    "status" "job_status" NOT NULL DEFAULT 'PENDING',
    "progress" INTEGER NOT NULL DEFAULT 0,
    "stage" TEXT,
    "parameters" JSONB NOT NULL,
    "result" JSONB,
    "priority" INTEGER NOT NULL DEFAULT 0,
    "attempt" INTEGER NOT NULL DEFAULT 0,
    "failures" INTEGER NOT NULL DEFAULT 0,
    "max_failures" INTEGER NOT NULL,
    "suspect" BOOLEAN NOT NULL DEFAULT false,
    "seq" INTEGER NOT NULL DEFAULT 0,
    "lease_until" TIMESTAMPTZ(3),
    "run_after" TIMESTAMPTZ(6) NOT NULL DEFAULT now(),
    "rung_at" TIMESTAMPTZ(3),
    "cancel_requested" BOOLEAN NOT NULL DEFAULT false,
    "deadline" TIMESTAMPTZ(3),
    "failure_code" TEXT,
    "failure_message" TEXT,
    "failure_hint" TEXT,
    "failure_retryable" BOOLEAN,
    "idempotency_key" TEXT,
    "cache_key" CHAR(64) NOT NULL,
    "cache_hit" BOOLEAN NOT NULL DEFAULT false,
    "retry_of_id" UUID,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT now(),
    "started_at" TIMESTAMPTZ(3),
    "finished_at" TIMESTAMPTZ(3),
    "peak_memory_bytes" BIGINT,

    CONSTRAINT "job_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "job_input" (
    "job_id" UUID NOT NULL,
    "position" INTEGER NOT NULL,
    "asset_id" UUID NOT NULL,

    CONSTRAINT "job_input_pkey" PRIMARY KEY ("job_id","position")
);

-- CreateTable
CREATE TABLE "job_attempt" (
    "job_id" UUID NOT NULL,
    "attempt" INTEGER NOT NULL,
    "started_at" TIMESTAMPTZ(3) NOT NULL,
    "finished_at" TIMESTAMPTZ(3),
    "outcome" TEXT,
    "failure_code" TEXT,
    "failure_message" TEXT,

    CONSTRAINT "job_attempt_pkey" PRIMARY KEY ("job_id","attempt")
);

-- CreateTable
CREATE TABLE "job_event" (
    "id" BIGSERIAL NOT NULL,
    "xid" xid8 NOT NULL DEFAULT pg_current_xact_id(),
    "job_id" UUID NOT NULL,
    "owner_id" TEXT NOT NULL,
    "seq" INTEGER NOT NULL,
    "status" "job_status" NOT NULL,
    "progress" INTEGER NOT NULL,
    "stage" TEXT,
    "attempt" INTEGER NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT now(),

    CONSTRAINT "job_event_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "analysis" (
    "id" UUID NOT NULL,
    "asset_id" UUID NOT NULL,
    "owner_id" TEXT NOT NULL,
    "job_id" UUID,
    "provider" TEXT NOT NULL,
    "model_version" TEXT NOT NULL,
    "facts" JSONB NOT NULL,
    "analyzed_at" TIMESTAMPTZ(3) NOT NULL DEFAULT now(),

    CONSTRAINT "analysis_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "image_tag" (
    "asset_id" UUID NOT NULL,
    "owner_id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "source" TEXT NOT NULL,
    "confidence" REAL NOT NULL,

    CONSTRAINT "image_tag_pkey" PRIMARY KEY ("asset_id","source","name")
);

-- CreateTable
CREATE TABLE "image_color" (
    "asset_id" UUID NOT NULL,
    "position" INTEGER NOT NULL,
    "owner_id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "l" REAL NOT NULL,
    "a" REAL NOT NULL,
    "b" REAL NOT NULL,
    "share" REAL NOT NULL,

    CONSTRAINT "image_color_pkey" PRIMARY KEY ("asset_id","position")
);

-- CreateTable
CREATE TABLE "image_hash" (
    "asset_id" UUID NOT NULL,
    "owner_id" TEXT NOT NULL,
    "pdq" bit(256) NOT NULL,
    "pdq_trimmed" bit(256) NOT NULL,
    "quality" INTEGER NOT NULL,

    CONSTRAINT "image_hash_pkey" PRIMARY KEY ("asset_id")
);

-- CreateTable
CREATE TABLE "image_vector" (
    "asset_id" UUID NOT NULL,
    "model" TEXT NOT NULL,
    "owner_id" TEXT NOT NULL,
    "embedding" vector NOT NULL,

    CONSTRAINT "image_vector_pkey" PRIMARY KEY ("asset_id","model")
);

-- CreateTable
CREATE TABLE "near_duplicate" (
    "asset_id" UUID NOT NULL,
    "other_id" UUID NOT NULL,
    "owner_id" TEXT NOT NULL,
    "distance" INTEGER NOT NULL,
    "cosine" REAL NOT NULL,

    CONSTRAINT "near_duplicate_pkey" PRIMARY KEY ("asset_id","other_id")
);

-- CreateTable
CREATE TABLE "search_document" (
    "asset_id" UUID NOT NULL,
    "owner_id" TEXT NOT NULL,
    "title" TEXT NOT NULL DEFAULT '',
    "caption" TEXT NOT NULL DEFAULT '',
    "tags" TEXT NOT NULL DEFAULT '',
    "text" TEXT NOT NULL DEFAULT '',
    "filename" TEXT NOT NULL DEFAULT '',
    "words" tsvector,

    CONSTRAINT "search_document_pkey" PRIMARY KEY ("asset_id")
);

-- CreateIndex
CREATE UNIQUE INDEX "asset_storage_key_key" ON "asset"("storage_key");

-- CreateIndex
CREATE INDEX "asset_owner_id_kind_created_at_id_idx" ON "asset"("owner_id", "kind", "created_at", "id");

-- CreateIndex
CREATE INDEX "asset_owner_id_sha256_idx" ON "asset"("owner_id", "sha256");

-- CreateIndex
CREATE INDEX "asset_owner_id_kind_taken_at_id_idx" ON "asset"("owner_id", "kind", "taken_at", "id");

-- CreateIndex
CREATE INDEX "asset_owner_id_kind_byte_size_id_idx" ON "asset"("owner_id", "kind", "byte_size", "id");

-- CreateIndex
CREATE INDEX "asset_produced_by_id_idx" ON "asset"("produced_by_id");

-- CreateIndex
CREATE INDEX "job_owner_id_created_at_id_idx" ON "job"("owner_id", "created_at", "id");

-- CreateIndex
CREATE INDEX "job_owner_id_status_created_at_id_idx" ON "job"("owner_id", "status", "created_at", "id");

-- CreateIndex
CREATE INDEX "job_owner_id_operation_created_at_id_idx" ON "job"("owner_id", "operation", "created_at", "id");

-- CreateIndex
CREATE INDEX "job_owner_id_cache_key_finished_at_idx" ON "job"("owner_id", "cache_key", "finished_at");

-- CreateIndex
CREATE INDEX "job_retry_of_id_idx" ON "job"("retry_of_id");

-- CreateIndex
CREATE UNIQUE INDEX "job_owner_id_idempotency_key_key" ON "job"("owner_id", "idempotency_key");

-- CreateIndex
CREATE INDEX "job_input_asset_id_job_id_idx" ON "job_input"("asset_id", "job_id");

-- CreateIndex
CREATE INDEX "job_event_owner_id_xid_id_idx" ON "job_event"("owner_id", "xid", "id");

-- CreateIndex
CREATE UNIQUE INDEX "job_event_job_id_seq_key" ON "job_event"("job_id", "seq");

-- CreateIndex
CREATE UNIQUE INDEX "analysis_job_id_key" ON "analysis"("job_id");

-- CreateIndex
CREATE INDEX "analysis_asset_id_analyzed_at_idx" ON "analysis"("asset_id", "analyzed_at");

-- CreateIndex
CREATE INDEX "image_tag_owner_id_name_asset_id_idx" ON "image_tag"("owner_id", "name", "asset_id");

-- CreateIndex
CREATE INDEX "image_color_owner_id_name_share_asset_id_idx" ON "image_color"("owner_id", "name", "share", "asset_id");

-- CreateIndex
CREATE INDEX "image_hash_owner_id_idx" ON "image_hash"("owner_id");

-- CreateIndex
CREATE INDEX "image_vector_owner_id_model_idx" ON "image_vector"("owner_id", "model");

-- CreateIndex
CREATE INDEX "near_duplicate_other_id_idx" ON "near_duplicate"("other_id");

-- CreateIndex
CREATE INDEX "near_duplicate_owner_id_asset_id_idx" ON "near_duplicate"("owner_id", "asset_id");

-- CreateIndex
CREATE INDEX "search_document_owner_id_idx" ON "search_document"("owner_id");

-- AddForeignKey
ALTER TABLE "asset" ADD CONSTRAINT "asset_produced_by_id_fkey" FOREIGN KEY ("produced_by_id") REFERENCES "job"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "job" ADD CONSTRAINT "job_retry_of_id_fkey" FOREIGN KEY ("retry_of_id") REFERENCES "job"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "job_input" ADD CONSTRAINT "job_input_job_id_fkey" FOREIGN KEY ("job_id") REFERENCES "job"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "job_input" ADD CONSTRAINT "job_input_asset_id_fkey" FOREIGN KEY ("asset_id") REFERENCES "asset"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "job_attempt" ADD CONSTRAINT "job_attempt_job_id_fkey" FOREIGN KEY ("job_id") REFERENCES "job"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "job_event" ADD CONSTRAINT "job_event_job_id_fkey" FOREIGN KEY ("job_id") REFERENCES "job"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "analysis" ADD CONSTRAINT "analysis_asset_id_fkey" FOREIGN KEY ("asset_id") REFERENCES "asset"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "analysis" ADD CONSTRAINT "analysis_job_id_fkey" FOREIGN KEY ("job_id") REFERENCES "job"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "image_tag" ADD CONSTRAINT "image_tag_asset_id_fkey" FOREIGN KEY ("asset_id") REFERENCES "asset"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "image_color" ADD CONSTRAINT "image_color_asset_id_fkey" FOREIGN KEY ("asset_id") REFERENCES "asset"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "image_hash" ADD CONSTRAINT "image_hash_asset_id_fkey" FOREIGN KEY ("asset_id") REFERENCES "asset"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "image_vector" ADD CONSTRAINT "image_vector_asset_id_fkey" FOREIGN KEY ("asset_id") REFERENCES "asset"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "near_duplicate" ADD CONSTRAINT "near_duplicate_asset_id_fkey" FOREIGN KEY ("asset_id") REFERENCES "asset"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "near_duplicate" ADD CONSTRAINT "near_duplicate_other_id_fkey" FOREIGN KEY ("other_id") REFERENCES "asset"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "search_document" ADD CONSTRAINT "search_document_asset_id_fkey" FOREIGN KEY ("asset_id") REFERENCES "asset"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- From here on: what the schema language cannot say. Written by hand.

-- A viewer's upload of the same bytes is the same asset; outputs of jobs may repeat.
create unique index asset_upload_once on asset (owner_id, sha256) where produced_by_id is null;

alter table asset add constraint asset_image_has_pixels
  check (kind <> 'IMAGE' or (width > 0 and height > 0 and format is not null));

-- Claiming reads the head of each owner's line; the reconciler reads what is late.
create index job_pending on job (owner_id, priority desc, created_at, id) where status = 'PENDING';
create index job_suspect on job (run_after) where status = 'PENDING' and suspect;
create index job_processing on job (lease_until) where status = 'PROCESSING';
create index job_processing_owner on job (owner_id) where status = 'PROCESSING';
create index job_deadline on job (deadline) where status in ('PENDING', 'PROCESSING') and deadline is not null;

alter table job
  add constraint job_lease_while_processing check ((status = 'PROCESSING') = (lease_until is not null)),
  add constraint job_finished_at_end check ((status in ('COMPLETED', 'FAILED', 'CANCELLED')) = (finished_at is not null)),
  add constraint job_failure_has_reason check (status <> 'FAILED' or (failure_code is not null and failure_message is not null)),
  add constraint job_progress_range check (progress between 0 and 100);

create unique index job_event_one_end on job_event (job_id) where status in ('COMPLETED', 'FAILED', 'CANCELLED');

create function job_guard() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    new.seq := 1;
    return new;
  end if;
  if old.status in ('COMPLETED', 'FAILED', 'CANCELLED') then
    -- A deleted original lets go of its retries; nothing else of an ended job ever changes.
    if new.retry_of_id is null and to_jsonb(new) - 'retry_of_id' = to_jsonb(old) - 'retry_of_id' then return new; end if;
    raise exception 'job % has ended as % and cannot change', old.id, old.status using errcode = 'J0001';
  end if;
  if new.attempt not in (old.attempt, old.attempt + 1) or (new.attempt > old.attempt) <> (old.status = 'PENDING' and new.status = 'PROCESSING') then
    raise exception 'job % cannot go from attempt % to %', old.id, old.attempt, new.attempt using errcode = 'J0002';
  end if;
  if old.status = 'PENDING' and new.status = 'COMPLETED' then
    raise exception 'job % cannot go from % to %', old.id, old.status, new.status using errcode = 'J0003';
  end if;
  if new.seq <> old.seq then
    raise exception 'the events of job % are numbered by the database', old.id using errcode = 'J0004';
  end if;
  if (new.status, new.progress, new.stage, new.attempt) is distinct from (old.status, old.progress, old.stage, old.attempt) then
    new.seq := old.seq + 1;
  end if;
  return new;
end $$;
create trigger job_guard before insert or update on job for each row execute function job_guard();

create function job_history() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' and new.seq = old.seq then return null; end if;
  insert into job_event (job_id, owner_id, seq, status, progress, stage, attempt)
    values (new.id, new.owner_id, new.seq, new.status, new.progress, new.stage, new.attempt);
  if tg_op = 'INSERT' then return null; end if;
  if new.attempt > old.attempt then
    insert into job_attempt (job_id, attempt, started_at) values (new.id, new.attempt, now());
  elsif old.status = 'PROCESSING' and new.status <> 'PROCESSING' then
    update job_attempt set finished_at = now(),
        outcome = case when new.status <> 'PENDING' then new.status::text when new.failures > old.failures then 'RETRIED' else 'RELEASED' end,
        failure_code = case when new.failures > old.failures or new.status = 'FAILED' then new.failure_code end,
        failure_message = case when new.failures > old.failures or new.status = 'FAILED' then new.failure_message end
      where job_id = new.id and attempt = new.attempt;
  end if;
  return null;
end $$;
create trigger job_history after insert or update on job for each row execute function job_history();

alter table job_event add constraint job_event_seq_positive check (seq > 0);

-- Words: one weighted vector per picture. English stemming; other languages match word for word.
alter table search_document drop column words;
alter table search_document add column words tsvector generated always as (
  setweight(to_tsvector('english', title), 'A') || setweight(to_tsvector('english', tags || ' ' || caption), 'B') ||
  setweight(to_tsvector('english', text), 'C') || setweight(to_tsvector('english', filename), 'D')) stored;
create index search_document_words on search_document using gin (words);

-- Vectors: each model has its own length and its own index, so that models never mix.
alter table image_vector
  add constraint image_vector_direction check (vector_norm(embedding) > 0),
  add constraint image_vector_vd1_length check (model <> 'vd1' or vector_dims(embedding) = 256);
create index image_vector_vd1 on image_vector using hnsw ((embedding::vector(256)) vector_cosine_ops) where model = 'vd1';
