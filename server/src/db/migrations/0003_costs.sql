-- What upstreams take from us, and what they still owe us --------------------------------------------------------------

-- What each attempt cost the house. Append only. An attempt has at most one row with a cost and at most one without: of a
-- cost that nobody knew and that was told later, both are kept. Live mode only: the sandbox costs nothing.
create table provider_cost (
  id bigint generated always as identity primary key,
  task_id uuid not null,
  number int not null,
  account_id uuid not null,
  project_id uuid not null,
  provider text not null,
  upstream_model text not null,
  model text not null,
  -- Null where nobody can tell.
  micros bigint check (micros >= 0),
  basis text not null check (basis in ('reported', 'usage', 'table', 'unknown')),
  usage jsonb,
  -- Searches of this attempt that were within the month's free ones.
  searches_free int not null default 0,
  -- What the caller was charged in the same transaction.
  charged_micros bigint not null default 0,
  -- Made after its task had ended.
  late boolean not null default false,
  created_at timestamptz not null default now(),
  check ((micros is null) = (basis = 'unknown'))
);
create unique index provider_cost_attempt on provider_cost (task_id, number, (micros is null));
create index provider_cost_created on provider_cost (created_at);

-- What an upstream gives away each calendar month (UTC), and how much of it was used.
create table free_use (
  provider text not null,
  what text not null,
  month date not null,
  used bigint not null,
  primary key (provider, what, month)
);

-- Attempts that were paid for before costs were written down.
insert into provider_cost (task_id, number, account_id, project_id, provider, upstream_model, model, basis, charged_micros, created_at)
select t.id, a.number, t.account_id, t.project_id, a.provider, a.upstream_model, t.model, 'unknown', coalesce(t.charged_micros, 0), coalesce(a.ended_at, now())
from attempt a join task t on t.id = a.task_id where t.livemode and a.outcome = 'done';

-- Attempts that are still looked after although their task has ended: whoever was asked may bring something yet.
create table late_look (
  task_id uuid not null,
  number int not null,
  receipt jsonb not null,
  state text not null default 'open' check (state in ('open', 'made', 'nothing', 'stopped', 'given_up')),
  -- Raised by every claim; a write-back names the turn it holds.
  turn int not null default 0,
  looks int not null default 0,
  due_at timestamptz not null,
  until timestamptz not null,
  problem jsonb,
  created_at timestamptz not null default now(),
  ended_at timestamptz,
  primary key (task_id, number)
);
create index late_look_due on late_look (due_at) where state = 'open';

-- Made after its task had ended: kept, shown apart, never charged.
alter table asset add column late boolean not null default false;
-- Whether there are any.
alter table task add column late boolean not null default false;
-- An upstream called back before its receipt was written.
alter table task add column hinted boolean not null default false;

-- Genuine call backs that were heard. The same one again is a replay, or was sent twice.
create table callback_seen (
  provider text not null,
  id_sha256 bytea not null,
  seen_at timestamptz not null default now(),
  primary key (provider, id_sha256)
);
create index callback_seen_age on callback_seen (seen_at);

-- What the operator is shown of outcomes nobody knows.
create index attempt_unknown on attempt (ended_at) where outcome in ('unknown', 'cancelled');
