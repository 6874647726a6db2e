-- Files ---------------------------------------------------------------------------------------------------------------

-- What a caller uploaded, or a batch wrote, under an id of its own. The file of a picture or film has an asset of the same id, so that
-- it can go into the making; the file of anything else has bytes only.
create table file (
  id uuid primary key,
  project_id uuid not null,
  livemode boolean not null,
  source text not null check (source in ('uploaded', 'generated')),
  -- The dialect's own word for what it is for: 'batch', 'vision', 'user_data', …
  purpose text not null,
  name text,
  mime text not null,
  sha256 bytea not null references blob,
  size_bytes bigint not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz
);
create index file_project on file (project_id, livemode, id desc);
create index file_blob on file (sha256);
create index file_expiry on file (expires_at) where expires_at is not null;

-- A file that comes in more than one request. Whoever has the id may send its bytes, so nobody can guess it.
create table upload (
  id text primary key,
  project_id uuid not null,
  livemode boolean not null,
  purpose text not null,
  name text,
  mime text,
  -- As announced; null where nothing was.
  size_bytes bigint,
  received_bytes bigint not null default 0,
  -- When the file is to expire, and the file, once all of it is there.
  file_expires_at timestamptz,
  file_id uuid,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null
);
create index upload_expiry on upload (expires_at);

create table upload_part (
  upload_id text not null references upload on delete cascade,
  from_byte bigint not null,
  sha256 bytea not null references blob,
  size_bytes bigint not null,
  primary key (upload_id, from_byte)
);
create index upload_part_blob on upload_part (sha256);

-- Batches -------------------------------------------------------------------------------------------------------------

-- Many orders under one roof: each row becomes a task. Bytes of the rows stay in the file they came in.
create table batch (
  id uuid primary key,
  account_id uuid not null,
  project_id uuid not null,
  key_id uuid not null,
  livemode boolean not null,
  -- Whose words the rows and results are in, and which of its calls every row is.
  protocol text not null,
  call text not null,
  state text not null default 'reading' check (state in ('reading', 'running', 'writing', 'done', 'failed', 'cancelled', 'expired')),
  -- Reading and writing are one process's work: who has it, until when, and the number that grows with each claim.
  turn int not null default 0,
  worker uuid,
  lease_until timestamptz,
  input_file_id uuid,
  -- The rows, kept until the batch has ended whatever becomes of the file.
  input_sha256 bytea references blob,
  output_file_id uuid,
  error_file_id uuid,
  -- What the dialect needs to tell of it again, and what later makers of batches may want (a cap on money, a pause).
  options jsonb not null default '{}',
  metadata jsonb not null default '{}',
  -- Why it was refused as a whole.
  problems jsonb not null default '[]',
  rows_total int not null default 0,
  rows_done int not null default 0,
  rows_failed int not null default 0,
  rows_cancelled int not null default 0,
  rows_expired int not null default 0,
  idempotency_key text,
  request_sha256 bytea not null,
  created_at timestamptz not null default now(),
  started_at timestamptz,
  cancelling_at timestamptz,
  writing_at timestamptz,
  ended_at timestamptz,
  ends_by timestamptz not null,
  output_expires_s int
) with (fillfactor = 50);
create index batch_project on batch (project_id, livemode, id desc);
create index batch_open on batch (id) where state in ('reading', 'running', 'writing');
create unique index batch_key on batch (project_id, livemode, idempotency_key) where idempotency_key is not null;
create index batch_request on batch (key_id, request_sha256, id desc);
create index batch_blob on batch (input_sha256) where input_sha256 is not null;

create table batch_row (
  batch_id uuid not null references batch on delete cascade,
  number int not null,
  -- The caller's name for it, and what else of it the dialect wants back.
  name text,
  note jsonb,
  from_byte bigint not null,
  size_bytes bigint not null,
  -- 'waiting' to be made a task, 'claimed' by a process that makes one, 'making' as long as its task has not ended.
  state text not null default 'waiting' check (state in ('waiting', 'claimed', 'making', 'done', 'failed', 'cancelled', 'expired')),
  turn int not null default 0,
  -- Who has claimed it; when a waiting row may be claimed, and until when a claim holds.
  worker uuid,
  due_at timestamptz not null default now(),
  task_id uuid,
  -- Why there is no task.
  problem jsonb,
  primary key (batch_id, number)
) with (fillfactor = 70);
create index batch_row_waiting on batch_row (batch_id, due_at, number) where state = 'waiting';
create index batch_row_open on batch_row (batch_id, state) where state in ('claimed', 'making');
