-- Who proposed a baseline and when, and which proposal was turned down last. The pictures are assets of their own, kept while they count.
alter table baseline
  add column proposed_by text,
  add column proposed_at timestamptz,
  add column rejected_sha256 text,
  add column rejected_by text,
  add column rejected_at timestamptz,
  add column rejected_reason text;
