-- AlterTable
ALTER TABLE "job" ADD COLUMN     "webhook_id" UUID;

-- CreateTable
CREATE TABLE "webhook" (
    "id" UUID NOT NULL,
    "owner_id" TEXT NOT NULL,
    "url" TEXT NOT NULL,
    "secret" TEXT NOT NULL,
    "events" TEXT[],
    "paused_at" TIMESTAMPTZ(3),
    "pause_reason" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT now(),

    CONSTRAINT "webhook_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "webhook_delivery" (
    "id" UUID NOT NULL DEFAULT gen_random_uuid(),
    "webhook_id" UUID NOT NULL,
    "owner_id" TEXT NOT NULL,
    "job_id" UUID,
    "event" TEXT NOT NULL,
    "status" TEXT NOT NULL DEFAULT 'PENDING',
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "next_attempt_at" TIMESTAMPTZ(3) NOT NULL DEFAULT now(),
    "response_status" INTEGER,
    "error" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT now(),
    "delivered_at" TIMESTAMPTZ(3),

    CONSTRAINT "webhook_delivery_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "webhook_owner_id_url_key" ON "webhook"("owner_id", "url");

-- CreateIndex
CREATE INDEX "webhook_delivery_webhook_id_created_at_id_idx" ON "webhook_delivery"("webhook_id", "created_at", "id");

-- CreateIndex
CREATE INDEX "webhook_delivery_job_id_idx" ON "webhook_delivery"("job_id");

-- AddForeignKey
ALTER TABLE "webhook_delivery" ADD CONSTRAINT "webhook_delivery_webhook_id_fkey" FOREIGN KEY ("webhook_id") REFERENCES "webhook"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "webhook_delivery" ADD CONSTRAINT "webhook_delivery_job_id_fkey" FOREIGN KEY ("job_id") REFERENCES "job"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- From here on: written by hand.

alter table webhook_delivery
  add constraint webhook_delivery_status check (status in ('PENDING', 'DELIVERED', 'FAILED')),
  add constraint webhook_delivery_end check ((status = 'DELIVERED') = (delivered_at is not null));
create index webhook_delivery_due on webhook_delivery (next_attempt_at) where status = 'PENDING';

-- In the transaction that ends the job: the message is there when the end is. A paused webhook gets none.
create function job_webhooks() returns trigger language plpgsql as $$
begin
  insert into webhook_delivery (webhook_id, owner_id, job_id, event)
    select webhook.id, new.owner_id, new.job_id, new.status::text
    from webhook join job on job.id = new.job_id
    where webhook.owner_id = new.owner_id and webhook.paused_at is null and (new.status::text = any(webhook.events) or webhook.id = job.webhook_id);
  return null;
end $$;
create trigger job_webhooks after insert on job_event for each row when (new.status in ('COMPLETED', 'FAILED', 'CANCELLED')) execute function job_webhooks();

-- Signing secrets are for no other role: nothing is granted.
alter table webhook enable row level security;
alter table webhook_delivery enable row level security;
create policy viewer_reads on webhook for select using (owner_id = nullif(current_setting('darkroom.viewer_id', true), ''));
create policy viewer_reads on webhook_delivery for select using (owner_id = nullif(current_setting('darkroom.viewer_id', true), ''));
