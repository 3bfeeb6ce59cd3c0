-- A second lock. Darkroom's own role owns the tables, is not bound by these policies and filters by owner in every query.
-- Every other role (BI, PostgREST, a person with psql) sees only what belongs to the viewer that it has named:
--   begin; select set_config('darkroom.viewer_id', 'alice', true); select … ; commit;
-- Without a name it sees nothing. The name is believed: give such a role to programs that know who is asking.

-- `for select` only: no policy lets another role write, whatever it has been granted.
do $$
declare
  owned text;
begin
  foreach owned in array array['asset', 'job', 'job_event', 'analysis', 'image_tag', 'image_color', 'image_hash', 'image_vector', 'near_duplicate', 'search_document'] loop
    execute format('alter table %I enable row level security', owned);
    -- After a transaction that set it, the setting is not null but empty.
    execute format($policy$create policy viewer_reads on %I for select using (owner_id = nullif(current_setting('darkroom.viewer_id', true), ''))$policy$, owned);
  end loop;
end $$;

-- What a job has belongs to the job's owner: these look for the job under its own policy.
alter table job_input enable row level security;
alter table job_attempt enable row level security;
create policy viewer_reads on job_input for select using (exists (select from job where job.id = job_id));
create policy viewer_reads on job_attempt for select using (exists (select from job where job.id = job_id));

-- A role belongs to the whole server: another database's migration may have made it, or be making it now.
do $$
begin
  if not exists (select from pg_roles where rolname = 'darkroom_reader') then
    create role darkroom_reader nologin;
  end if;
exception
  when duplicate_object or unique_violation then null;
  when insufficient_privilege then
    raise notice 'The role darkroom_reader was not made, because % may not create roles. Darkroom works without it. A role of your own that is granted select on the tables sees the rows of darkroom.viewer_id, as darkroom_reader would.', current_user;
end $$;

-- Table by table, never by default: a table that nobody thought of stays closed.
do $$
begin
  if exists (select from pg_roles where rolname = 'darkroom_reader') then
    execute format('grant usage on schema %I to darkroom_reader', current_schema());
    grant select on asset, job, job_event, job_input, job_attempt, analysis, image_tag, image_color, image_hash, image_vector, near_duplicate, search_document to darkroom_reader;
  end if;
end $$;
