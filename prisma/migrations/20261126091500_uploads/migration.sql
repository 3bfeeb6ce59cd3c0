-- CreateEnum
CREATE TYPE "upload_status" AS ENUM ('OPEN', 'COMPLETED', 'REFUSED');

-- CreateTable
CREATE TABLE "upload" (
    "id" UUID NOT NULL,
    "owner_id" TEXT NOT NULL,
    "status" "upload_status" NOT NULL DEFAULT 'OPEN',
    "filename" TEXT NOT NULL,
    "byte_size" INTEGER NOT NULL,
    "sha256" CHAR(64),
    "asset_id" UUID,
    "refusal" JSONB,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT now(),
    "expires_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "upload_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "upload_asset_id_idx" ON "upload"("asset_id");

-- CreateIndex
CREATE INDEX "upload_expires_at_idx" ON "upload"("expires_at");

-- AddForeignKey
ALTER TABLE "upload" ADD CONSTRAINT "upload_asset_id_fkey" FOREIGN KEY ("asset_id") REFERENCES "asset"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- From here on: written by hand.
alter table upload enable row level security;
create policy viewer_reads on upload for select using (owner_id = nullif(current_setting('darkroom.viewer_id', true), ''));
do $$
begin
  if exists (select from pg_roles where rolname = 'darkroom_reader') then
    grant select on upload to darkroom_reader;
  end if;
end $$;
