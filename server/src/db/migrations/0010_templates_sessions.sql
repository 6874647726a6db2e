-- Prompt templates and editing sessions. See templates/ and sessions/.

-- A template is the project's, like a workflow: test and live share it, and its pictures stand in both.
create table template (
  id uuid primary key,
  project_id uuid not null references project,
  slug text not null,
  name text not null,
  description text not null default '',
  -- The draft. `revision` rises with every write of it.
  body jsonb not null,
  revision int not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (project_id, slug)
);
create index template_list on template (project_id, updated_at desc);

create table template_version (
  template_id uuid not null references template on delete cascade,
  number int not null,
  body jsonb not null,
  note text,
  key_id uuid,
  created_at timestamptz not null default now(),
  primary key (template_id, number)
);

create table template_label (
  template_id uuid not null,
  label text not null,
  number int not null,
  key_id uuid,
  moved_at timestamptz not null default now(),
  primary key (template_id, label),
  foreign key (template_id, number) references template_version on delete cascade
);

-- Which version made it: {id, slug, version, label}, or {id, slug, revision} of a draft. Kept when the template is gone.
alter table task add column template jsonb;
create index task_template on task (project_id, livemode, (template->>'slug'), id) where template is not null;

alter table project add column templates_only boolean not null default false;

create table session (
  id uuid primary key,
  project_id uuid not null references project,
  livemode boolean not null,
  name text not null,
  model text not null,
  parameters jsonb not null default '{}',
  brand jsonb not null default '{}',
  -- How many turns were ever asked for. Where it stands: the newest turn after `moved_at` that is done, else `head`.
  turns int not null default 0,
  head uuid,
  moved_at int not null default 0,
  -- Turns that undo has left, the last one on top; they count as long as no newer turn is done.
  undone text[] not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index session_list on session (project_id, livemode, id desc);

-- A turn is a task, under its id, written in the transaction that writes the task.
create table session_turn (
  task_id uuid primary key,
  session_id uuid not null references session on delete cascade,
  number int not null,
  parent uuid,
  prompt text not null,
  selected int not null default 0,
  created_at timestamptz not null default now(),
  unique (session_id, number)
);
