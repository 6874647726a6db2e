-- Deliveries may tell of executions as well as of tasks.
alter table delivery add column execution_id uuid;
create index delivery_execution on delivery (execution_id) where execution_id is not null;
