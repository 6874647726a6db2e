-- Routing: who may make what, changed while the house runs, and how upstreams are doing ----------------------------------

-- Names of the house for cards, beside those that stand on the cards. A card's own name always comes first.
create table model_alias (
  name text primary key,
  card text not null,
  changed_at timestamptz not null default now()
);

-- What the operator says of a card's routes, in place of what the card says: [{provider, model, order, weight, enabled}].
create table route_override (
  card text primary key,
  routes jsonb not null,
  changed_at timestamptz not null default now()
);

-- The circuit breaker of each upstream (domain/breaker.ts). No row: closed, nothing failed.
create table provider_health (
  provider text primary key,
  state text not null check (state in ('closed', 'open', 'half_open')),
  -- Failures in a row, the first of them, and how often it opened since it was last well.
  failures int not null default 0,
  failing_since timestamptz,
  trips int not null default 0,
  open_until timestamptz,
  -- The one task that finds out whether it is back; it counts as under way only while it is running.
  probe_task uuid,
  changed_at timestamptz not null default now()
);

-- Pictures asked for in the present minute, beside submissions.
alter table provider_pace add column images int not null default 0;

-- What the choice among equal routes sticks to; null: the task's own id.
alter table task add column sticky_key text;

-- How often this attempt was put to the upstream under its one key. More than once means that the first may have been bought.
alter table attempt add column asked int not null default 1;
