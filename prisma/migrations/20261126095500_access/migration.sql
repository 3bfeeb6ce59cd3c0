-- CreateTable
CREATE TABLE "viewer" (
    "id" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT now(),
    "last_seen_at" TIMESTAMPTZ(3) NOT NULL DEFAULT now(),
    "suspended_at" TIMESTAMPTZ(3),
    "suspended_reason" TEXT,

    CONSTRAINT "viewer_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "api_key" (
    "id" TEXT NOT NULL,
    "owner_id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "scopes" TEXT[],
    "secret_hash" CHAR(64) NOT NULL,
    "made_with_id" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT now(),
    "expires_at" TIMESTAMPTZ(3),
    "last_used_at" TIMESTAMPTZ(3),

    CONSTRAINT "api_key_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "api_key_owner_id_created_at_idx" ON "api_key"("owner_id", "created_at");

-- CreateIndex
CREATE INDEX "api_key_made_with_id_idx" ON "api_key"("made_with_id");

-- AddForeignKey
ALTER TABLE "api_key" ADD CONSTRAINT "api_key_made_with_id_fkey" FOREIGN KEY ("made_with_id") REFERENCES "api_key"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- From here on: written by hand. Whoever owns something has been here.
insert into viewer (id, created_at, last_seen_at)
select owner_id, min(created_at), max(created_at) from (select owner_id, created_at from asset union all select owner_id, created_at from job) owned group by owner_id;

-- Secrets, even hashed, and lists of people are for no other role: nothing is granted.
alter table viewer enable row level security;
alter table api_key enable row level security;
create policy viewer_reads on api_key for select using (owner_id = nullif(current_setting('darkroom.viewer_id', true), ''));
