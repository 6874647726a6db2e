-- What Wireflow's door needs of the house ------------------------------------------------------------------------------

-- Nodes of an execution that take no earlier results where the others may: running one node again means making it again.
alter table execution add column anew text[] not null default '{}';

-- Answers to calls that are to change something once, given again to whoever repeats the call under its key. No status: the first
-- call is still under way, or died on it.
create table reply (
  key_id uuid not null,
  -- Method, path and the caller's key for it.
  call text not null,
  body_sha256 bytea not null,
  status int,
  headers jsonb,
  body text,
  begun_at timestamptz not null default now(),
  primary key (key_id, call)
);
create index reply_age on reply (begun_at);

-- What callers had to say. Read by the operator, in the database.
create table feedback (
  id uuid primary key,
  project_id uuid not null,
  key_id uuid not null,
  protocol text not null,
  category text not null,
  title text not null,
  body text not null,
  context jsonb not null default '{}',
  created_at timestamptz not null default now()
);
create index feedback_key on feedback (key_id, created_at);
