-- The host a delivery goes to, so that claims can share the slots between hosts.
alter table delivery add column host text collate "C" not null generated always as (lower(coalesce(substring(url from '^[^:/]+://([^/?#]+)'), '?'))) stored;
-- Attempts before the last redelivery: the schedule of retries counts from there.
alter table delivery add column attempts_before int not null default 0;

-- Only what nobody holds is looked for, so a row that is written in its sender's hands costs neither index.
drop index delivery_due;
create index delivery_due on delivery (due_at) where state = 'pending' and worker is null;
create index delivery_host on delivery (host, due_at) where state = 'pending' and worker is null;

-- What signs call backs that were asked for in a request and so belong to no endpoint. Made when first needed.
create table callback_secret (
  project_id uuid not null references project,
  livemode boolean not null,
  secret text not null,
  old_secret text,
  old_secret_until timestamptz,
  created_at timestamptz not null default now(),
  primary key (project_id, livemode)
);
