-- What an execution had bought where it is begun again: a run that is taken away because something before it is made anew finds its purchase
-- again where the same goes in as then, and buys under another name where it does not.
alter table execution add column rounds int not null default 0;
create table node_past (
  execution_id uuid not null,
  node text not null,
  item int[] not null,
  key bytea not null,
  outputs jsonb not null,
  created_at timestamptz not null default now(),
  primary key (execution_id, node, item, key)
);
