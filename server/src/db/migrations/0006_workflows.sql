-- Workflows: graphs people draw, and their runs. See workflows/.

-- Graphs by content: ten thousand executions of one graph keep it once.
create table graph (
  sha256 bytea primary key,
  body jsonb not null,
  created_at timestamptz not null default now()
);

-- A workflow is the project's, like a key: its definition is shared by test and live, its executions are not.
create table workflow (
  id uuid primary key,
  project_id uuid not null references project,
  slug text not null,
  name text not null,
  description text not null default '',
  tags text[] not null default '{}',
  -- The draft. `revision` rises with every write of it.
  graph_sha256 bytea not null references graph,
  revision int not null default 1,
  active boolean not null default true,
  -- The version that triggers and callers run; null while none was published.
  published int,
  -- What a dialect keeps with it and gives back as it was.
  wire jsonb,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (project_id, slug)
);
create index workflow_list on workflow (project_id, updated_at desc);

create table workflow_version (
  workflow_id uuid not null references workflow on delete cascade,
  number int not null,
  graph_sha256 bytea not null references graph,
  name text,
  key_id uuid,
  created_at timestamptz not null default now(),
  primary key (workflow_id, number)
);
create unique index workflow_version_name on workflow_version (workflow_id, name) where name is not null;

create table execution (
  id uuid primary key,
  account_id uuid not null,
  project_id uuid not null,
  key_id uuid,
  livemode boolean not null,
  workflow_id uuid,
  -- Null for a draft, or a graph that was sent along.
  version int,
  graph_sha256 bytea not null references graph,
  -- Values of nodes that the caller gave, by node and port.
  given jsonb not null default '{}',
  state text not null default 'running' check (state in ('running', 'done', 'failed', 'cancelled')),
  trigger text not null,
  target text,
  force boolean not null default false,
  parallelism int not null,
  -- What it may cost at most; null for no cap. `committed`: prices of what was ordered and not ended, and what the ended was charged.
  cost_max_micros bigint,
  committed_micros bigint not null default 0,
  cost_micros bigint not null default 0,
  -- Runs that have not ended. At none the execution ends.
  open int not null default 0,
  -- How deep in calls of other workflows it is, and which run called it.
  depth int not null default 0,
  parent_id uuid,
  -- Executions that were asked for together.
  batch_id uuid,
  position int not null default 0,
  outputs jsonb,
  problem jsonb,
  metadata jsonb not null default '{}',
  callback_url text,
  wire jsonb,
  created_at timestamptz not null default now(),
  ended_at timestamptz
) with (fillfactor = 70);
create index execution_project on execution (project_id, livemode, id desc);
create index execution_workflow on execution (workflow_id, id desc) where workflow_id is not null;
create index execution_batch on execution (batch_id, position) where batch_id is not null;
create index execution_running on execution (id) where state = 'running';

create table execution_key (
  project_id uuid not null,
  livemode boolean not null,
  key text not null,
  body_sha256 bytea not null,
  execution_id uuid not null,
  created_at timestamptz not null default now(),
  primary key (project_id, livemode, key)
);
create index execution_key_age on execution_key (created_at);

-- One row for each time a node runs: once, or once for each combination of items around it.
create table node_run (
  execution_id uuid not null,
  node text not null,
  item int[] not null,
  state text not null check (state in ('ready', 'running', 'waiting', 'asking', 'done', 'failed', 'skipped', 'cancelled')),
  turn int not null default 0,
  worker uuid,
  -- How often it was begun anew (retry, redo): part of the name under which it buys.
  attempt int not null default 1,
  due_at timestamptz not null default now(),
  -- What it bought, and whether that is still to be stopped.
  task_id uuid,
  stopping boolean not null default false,
  child_id uuid,
  -- Settings that a person changed for this run (redo).
  override jsonb,
  -- The result's key, whether an earlier result was taken, and why or why not.
  key bytea,
  reused boolean not null default false,
  because text,
  outputs jsonb,
  ports text[] not null default '{}',
  -- Of an iterating node: how many items.
  length int,
  price_micros bigint not null default 0,
  charged_micros bigint not null default 0,
  problem jsonb,
  created_at timestamptz not null default now(),
  started_at timestamptz,
  ended_at timestamptz,
  primary key (execution_id, node, item)
) with (fillfactor = 70);
create index node_run_ready on node_run (execution_id, created_at) where state = 'ready';
create index node_run_making on node_run (execution_id) where state in ('running', 'waiting');
create index node_run_due on node_run (due_at) where state in ('waiting', 'asking');
create index node_run_worker on node_run (worker) where worker is not null;
create index node_run_task on node_run (task_id) where task_id is not null;
create index node_run_child on node_run (child_id) where child_id is not null;
create index node_run_stopping on node_run (execution_id) where stopping;

-- The items of an iterating node, apart: a list of ten thousand is not read ten thousand times.
create table node_item (
  execution_id uuid not null,
  node text not null,
  item int[] not null,
  position int not null,
  value jsonb not null,
  primary key (execution_id, node, item, position)
);

-- How many runs a collecting run still waits for.
create table node_count (
  execution_id uuid not null,
  node text not null,
  item int[] not null,
  missing int not null,
  primary key (execution_id, node, item)
);

-- Results by content, to be taken again.
create table node_result (
  project_id uuid not null,
  livemode boolean not null,
  key bytea not null,
  execution_id uuid not null,
  outputs jsonb not null,
  length int,
  created_at timestamptz not null default now(),
  primary key (project_id, livemode, key, execution_id)
);
create index node_result_age on node_result (created_at);

-- What a person is asked.
create table review (
  id uuid primary key,
  project_id uuid not null,
  livemode boolean not null,
  execution_id uuid not null,
  node text not null,
  item int[] not null,
  state text not null default 'open' check (state in ('open', 'approved', 'rejected', 'redone', 'withdrawn')),
  candidates jsonb not null,
  choose_min int not null,
  choose_max int not null,
  note text,
  on_timeout text not null check (on_timeout in ('approve', 'reject')),
  due_at timestamptz,
  chosen jsonb,
  reason text,
  -- Who decided: a key's name, a link's holder as they called themselves, or the clock.
  decided_by text,
  decided_at timestamptz,
  created_at timestamptz not null default now()
);
create index review_project on review (project_id, livemode, id desc);
create unique index review_open on review (execution_id, node, item) where state = 'open';
create index review_due on review (due_at) where state = 'open' and due_at is not null;

-- Approved pictures to compare with.
create table baseline (
  project_id uuid not null,
  livemode boolean not null,
  name text not null,
  approved jsonb,
  proposed jsonb,
  approved_by text,
  approved_at timestamptz,
  updated_at timestamptz not null default now(),
  primary key (project_id, livemode, name)
);

-- Ways to run a workflow from outside, without a key or by the clock.
create table workflow_trigger (
  id uuid primary key,
  workflow_id uuid not null references workflow on delete cascade,
  account_id uuid not null,
  project_id uuid not null,
  key_id uuid,
  livemode boolean not null,
  kind text not null check (kind in ('webhook', 'schedule')),
  enabled boolean not null default true,
  -- Webhook: the unguessable part of its address, by hash; how it is shown; a secret its callers sign with, if any; runs a minute.
  hook_hash bytea unique,
  hook_prefix text,
  secret text,
  per_minute int,
  -- Schedule: when, where, and what becomes of times that were missed.
  cron text,
  time_zone text,
  missed text check (missed in ('skip', 'once', 'all')),
  next_at timestamptz,
  last_at timestamptz,
  inputs jsonb not null default '{}',
  created_at timestamptz not null default now()
);
create index workflow_trigger_due on workflow_trigger (next_at) where enabled and next_at is not null;
create index workflow_trigger_workflow on workflow_trigger (workflow_id);
