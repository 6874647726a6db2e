-- What executions published, each thing and place once: so that a run that is begun again after a crash counts nothing twice.
create table published (
  execution_id uuid not null,
  -- Where it goes and what it is, by hash.
  thing bytea not null,
  project_id uuid not null,
  livemode boolean not null,
  day date not null,
  size_bytes bigint not null,
  primary key (execution_id, thing)
);
create index published_age on published (day);
-- Their sums: of an execution, and of a project's day (UTC) in each mode.
create table published_execution (
  execution_id uuid primary key,
  files bigint not null default 0,
  size_bytes bigint not null default 0,
  day date not null
);
create index published_execution_day on published_execution (day);
create table published_day (
  project_id uuid not null,
  livemode boolean not null,
  day date not null,
  files bigint not null default 0,
  size_bytes bigint not null default 0,
  primary key (project_id, livemode, day)
);
