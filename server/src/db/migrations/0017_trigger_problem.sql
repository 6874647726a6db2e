-- Why the last time of a schedule brought no execution; null where it did.
alter table workflow_trigger add column last_problem jsonb;
