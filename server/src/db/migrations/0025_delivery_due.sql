-- What becomes of a delivery is written into its row without touching an index. Who is to send it, and when, stands in tables of its own: a row for each
-- delivery that waits, and one row for all that a settlement wrote into the hands of its own process.

create function host_of(url text) returns text language sql immutable parallel safe
  return lower(coalesce(substring(url from '^[^:/]+://([^/?#]+)'), '?'));

drop index delivery_due;
drop index delivery_host;
drop index delivery_worker;

-- Every pending delivery is here or in exactly one hand, but for the moment between.
create table delivery_due (
  delivery_id uuid primary key,
  -- The host it goes to, so that claims can share the slots between hosts.
  host text collate "C" not null,
  due_at timestamptz not null,
  worker uuid
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
create index delivery_due_at on delivery_due (due_at) where worker is null;
create index delivery_due_host on delivery_due (host, due_at) where worker is null;
create index delivery_due_worker on delivery_due (worker) where worker is not null;
insert into delivery_due (delivery_id, host, due_at, worker) select id, host, due_at, worker from delivery where state = 'pending';

-- Deliveries whose first attempt their writer makes by itself. The row goes when the last of them is told or waits.
create table delivery_hand (
  id uuid primary key,
  worker uuid not null,
  deliveries uuid[] not null,
  created_at timestamptz not null default now()
);
create index delivery_hand_worker on delivery_hand (worker);

alter table delivery
  drop column worker,
  drop column host,
  -- The newest attempt, beside last_status and last_error; delivery_attempt has those before it.
  add column last_number int,
  add column last_at timestamptz,
  add column last_took_ms int,
  add column last_answer text,
  -- Room for the second version of every row beside the first, which is a little larger.
  set (fillfactor = 45);
