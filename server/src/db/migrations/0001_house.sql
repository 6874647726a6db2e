-- Accounts, projects, keys ------------------------------------------------------------------------------------------

create table account (
  id uuid primary key,
  name text not null,
  -- Tasks in the making at once; null for no limit.
  concurrent int,
  created_at timestamptz not null default now()
);

create table project (
  id uuid primary key,
  account_id uuid not null references account,
  name text not null,
  created_at timestamptz not null default now()
);

create table api_key (
  id uuid primary key,
  account_id uuid not null references account,
  project_id uuid not null references project,
  name text not null,
  livemode boolean not null,
  -- SHA-256 of the secret: the secret has 160 random bits, so a slow hash would add nothing.
  hash bytea not null unique,
  prefix text not null,
  scopes text[] not null,
  requests_per_minute int,
  executions_per_day int,
  concurrent int,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz
);
create index api_key_project on api_key (project_id);

-- Fixed windows per key: what was counted in the window that began then.
create table rate_window (
  key_id uuid not null,
  kind text not null,
  starts_at timestamptz not null,
  count int not null,
  primary key (key_id, kind, starts_at)
);

-- Money ---------------------------------------------------------------------------------------------------------------

-- The running sum of the ledger. `available` + `held` + `spent` = everything granted.
create table balance (
  account_id uuid not null references account,
  livemode boolean not null,
  available_micros bigint not null default 0 check (available_micros >= 0),
  held_micros bigint not null default 0 check (held_micros >= 0),
  spent_micros bigint not null default 0,
  primary key (account_id, livemode)
) with (fillfactor = 50);

-- Append only. `amount_micros` is what the row adds to the available money: grant +, hold -, release +; a capture gives
-- back what the hold had too much (0 or more), an adjust takes what it had too little.
-- No primary key of its own: the index by account ends in `id` and serves every reader.
create table ledger (
  id bigint generated always as identity,
  account_id uuid not null,
  project_id uuid,
  key_id uuid,
  livemode boolean not null,
  task_id uuid,
  kind text not null check (kind in ('grant', 'hold', 'capture', 'release', 'adjust')),
  amount_micros bigint not null,
  note text,
  created_at timestamptz not null default now()
);
create unique index ledger_task on ledger (task_id, kind) where task_id is not null;
create unique index ledger_account on ledger (account_id, livemode, id);

-- Assets --------------------------------------------------------------------------------------------------------------

create table blob (
  sha256 bytea primary key,
  mime text not null,
  size_bytes bigint not null,
  width int,
  height int,
  created_at timestamptz not null default now()
);

create table asset (
  id uuid primary key,
  project_id uuid not null,
  livemode boolean not null,
  kind text not null check (kind in ('input', 'output')),
  sha256 bytea not null references blob,
  name text,
  task_id uuid,
  position int,
  created_at timestamptz not null default now(),
  expires_at timestamptz
);
create index asset_project on asset (project_id, livemode, id desc);
create index asset_task on asset (task_id, position) where task_id is not null;
create index asset_blob on asset (sha256);
create index asset_expiry on asset (expires_at) where expires_at is not null;

-- Tasks ---------------------------------------------------------------------------------------------------------------

create table task (
  id uuid primary key,
  account_id uuid not null,
  project_id uuid not null,
  key_id uuid,
  livemode boolean not null,
  state text not null default 'queued' check (state in ('queued', 'running', 'waiting', 'done', 'failed', 'cancelled')),
  turn int not null default 0,
  worker uuid,
  attempts int not null default 0,
  attempts_max int not null,
  polls int not null default 0,
  model text not null,
  model_asked text not null,
  operation text not null,
  prompt text not null,
  parameters jsonb not null,
  inputs jsonb not null,
  count int not null,
  -- In-between pictures the caller wants while it waits.
  partials int not null default 0,
  width int,
  height int,
  priority text not null,
  -- The order of admission: rises with time, spread per account so that a burst of one does not starve another.
  rank double precision not null,
  provider text not null,
  upstream_model text not null,
  upstream_id text,
  receipt jsonb,
  progress int,
  price_micros bigint not null,
  charged_micros bigint,
  text text,
  details jsonb not null default '{}',
  warnings jsonb not null default '[]',
  problem jsonb,
  metadata jsonb not null default '{}',
  callback_url text,
  wire jsonb,
  created_at timestamptz not null default now(),
  started_at timestamptz,
  ended_at timestamptz,
  due_at timestamptz not null default now(),
  start_by timestamptz,
  end_by timestamptz not null
) with (fillfactor = 70);

create index task_project on task (project_id, livemode, id desc);
create index task_queued on task (provider, rank) where state = 'queued';
create index task_backlog on task (account_id, priority, rank desc) where state = 'queued';
create index task_waiting on task (due_at) where state = 'waiting';
create index task_making on task (provider, account_id) where state in ('running', 'waiting');
create index task_ends on task (end_by) where state in ('queued', 'waiting');
create index task_starts on task (start_by) where state = 'queued' and start_by is not null;

-- One row each time an upstream is asked to make something, written before it is asked.
create table attempt (
  task_id uuid not null,
  number int not null,
  provider text not null,
  upstream_model text not null,
  sent_at timestamptz not null default now(),
  receipt_at timestamptz,
  receipt jsonb,
  ended_at timestamptz,
  outcome text check (outcome in ('done', 'failed', 'unknown', 'cancelled')),
  problem jsonb,
  primary key (task_id, number)
) with (fillfactor = 70);

create table idempotency (
  project_id uuid not null,
  livemode boolean not null,
  key text not null,
  body_sha256 bytea not null,
  task_id uuid not null,
  created_at timestamptz not null default now(),
  primary key (project_id, livemode, key)
);
create index idempotency_age on idempotency (created_at);

-- The last call of a key with this body, for clients that send a call again without a key (see engine/repeat.ts).
create table recent_call (
  key_id uuid not null,
  body_sha256 bytea not null,
  task_id uuid not null,
  -- Whoever sent it went away before it was answered.
  unanswered boolean not null default false,
  created_at timestamptz not null default now(),
  primary key (key_id, body_sha256)
);
create index recent_call_age on recent_call (created_at);
create index recent_call_task on recent_call (task_id);

-- Facts a reader may want to follow. `xid` tells which rows may still be joined by earlier ones (see engine/events.ts).
-- Three rows a task: both indexes end in `id`, and a third one for it alone would serve nobody.
create table event (
  id bigint generated always as identity,
  xid xid8 not null default pg_current_xact_id(),
  project_id uuid not null,
  livemode boolean not null,
  task_id uuid not null,
  type text not null,
  data jsonb not null default '{}',
  created_at timestamptz not null default now()
);
create unique index event_project on event (project_id, livemode, id);
create index event_task on event (task_id, id);

-- Processes that hold work. Missed beats mean death, and its work is taken over.
create table worker (
  id uuid primary key,
  host text not null,
  pid int not null,
  started_at timestamptz not null default now(),
  beat_at timestamptz not null default now()
);

-- How an upstream is doing: submissions in the present minute, and until when it asked to be left alone.
create table provider_pace (
  provider text primary key,
  minute timestamptz not null,
  count int not null,
  pause_until timestamptz
);

-- Delivery ------------------------------------------------------------------------------------------------------------

create table endpoint (
  id uuid primary key,
  project_id uuid not null references project,
  livemode boolean not null,
  url text not null,
  events text[] not null,
  enabled boolean not null default true,
  secret text not null,
  old_secret text,
  old_secret_until timestamptz,
  created_at timestamptz not null default now()
);
create index endpoint_project on endpoint (project_id, livemode);

-- What signs call backs that were asked for in a request and so belong to no endpoint. Made when first needed.
create table callback_secret (
  project_id uuid not null references project,
  livemode boolean not null,
  secret text not null,
  old_secret text,
  old_secret_until timestamptz,
  -- Whether messages of this project and mode also carry a signature of the house's own key. Off unless asked for: it is the dearest part of a delivery.
  house_signature boolean not null default false,
  created_at timestamptz not null default now(),
  primary key (project_id, livemode)
);

-- What signs call backs in Kie's dialect. One for each mode, so that a test key cannot replace what live receivers verify with.
create table kie_key (
  project_id uuid not null references project,
  livemode boolean not null,
  key text not null,
  created_at timestamptz not null default now(),
  primary key (project_id, livemode)
);

create table delivery (
  id uuid primary key,
  project_id uuid not null,
  livemode boolean not null,
  -- Null for a ping.
  task_id uuid,
  endpoint_id uuid,
  event_type text not null,
  -- Whose words the body is in: 'plantain' (Standard Webhooks) or a protocol's id ('kie').
  style text not null,
  url text not null,
  -- The host it goes to, so that claims can share the slots between hosts.
  host text collate "C" not null generated always as (lower(coalesce(substring(url from '^[^:/]+://([^/?#]+)'), '?'))) stored,
  state text not null default 'pending' check (state in ('pending', 'delivered', 'parked')),
  attempts int not null default 0,
  -- Attempts before the last redelivery: the schedule of retries counts from there.
  attempts_before int not null default 0,
  worker uuid,
  due_at timestamptz not null default now(),
  created_at timestamptz not null default now(),
  delivered_at timestamptz,
  last_status int,
  last_error text
) with (fillfactor = 70);
-- Only what nobody holds is looked for, so a row that is written in its sender's hands costs neither index.
create index delivery_due on delivery (due_at) where state = 'pending' and worker is null;
create index delivery_host on delivery (host, due_at) where state = 'pending' and worker is null;
create index delivery_worker on delivery (worker) where worker is not null;
create index delivery_project on delivery (project_id, livemode, id desc);
create index delivery_task on delivery (task_id) where task_id is not null;

create table delivery_attempt (
  delivery_id uuid not null references delivery on delete cascade,
  number int not null,
  at timestamptz not null default now(),
  took_ms int not null,
  status int,
  error text,
  answer text,
  primary key (delivery_id, number)
);

-- Secrets all servers of one database share (links are signed with one). Made by whoever comes first.
create table house_secret (
  name text primary key,
  value bytea not null,
  created_at timestamptz not null default now()
);

-- Administrative acts.
create table audit (
  id bigint generated always as identity primary key,
  account_id uuid,
  project_id uuid,
  key_id uuid,
  act text not null,
  subject text,
  details jsonb not null default '{}',
  created_at timestamptz not null default now()
);
