-- Batches out of sheets: checked as a whole, capped, paused, tried again; rows that are executions of a workflow; schedules.
alter table batch
  add column name text,
  add column callback_url text,
  -- Rows in the making at once; null for as many as the house gives one batch.
  add column concurrency int,
  -- What it may cost at most, and what its ended rows were charged.
  add column budget_max_micros bigint,
  add column cost_micros bigint not null default 0,
  -- Prices of all rows as they were checked, least and most.
  add column price_min_micros bigint,
  add column price_max_micros bigint,
  -- No row is begun meanwhile. Those in the making end.
  add column paused_at timestamptz,
  add column paused_because text,
  -- Since when it runs: what came before a pause says nothing about how fast it goes.
  add column resumed_at timestamptz;

alter table batch_row
  add column execution_id uuid,
  -- The most it may be charged, as it was checked; null where it was not.
  add column price_micros bigint,
  add column charged_micros bigint not null default 0,
  add column attempt int not null default 1,
  -- What it was before it was tried again.
  add column tried uuid[] not null default '{}',
  add column ended_at timestamptz;
create index batch_row_ended on batch_row (batch_id, ended_at) where ended_at is not null;

-- Deliveries may tell of batches as well.
alter table delivery add column batch_id uuid;

-- Batches by the clock: what is made anew each time out of a file that is kept or an address that is asked.
create table batch_schedule (
  id uuid primary key,
  account_id uuid not null,
  project_id uuid not null,
  key_id uuid not null,
  livemode boolean not null,
  name text not null,
  enabled boolean not null default true,
  protocol text not null,
  -- The order of the batch in the dialect's words.
  body jsonb not null,
  cron text not null,
  time_zone text not null,
  missed text not null check (missed in ('skip', 'once', 'all')),
  next_at timestamptz,
  last_at timestamptz,
  last_batch_id uuid,
  -- Why the last time brought no batch.
  last_problem jsonb,
  created_at timestamptz not null default now()
);
create index batch_schedule_project on batch_schedule (project_id, livemode, id desc);
create index batch_schedule_due on batch_schedule (next_at) where enabled and next_at is not null;
