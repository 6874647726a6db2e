-- Executions that call others, and those that are called, share the places of the one that began it all.

alter table execution add column root_id uuid;
comment on column execution.root_id is 'The execution that began everything here; itself where it calls others, null where it neither calls nor is called.';

-- What is under way keeps to the same bound from now on.
with recursive down as (
  select e.id, e.id as root_id from execution e where e.parent_id is null and e.state = 'running' and exists (select from node_run r where r.execution_id = e.id and r.child_id is not null)
  union all select e.id, down.root_id from execution e join down on e.parent_id = down.id)
update execution e set root_id = down.root_id from down where e.id = down.id;

-- As claims look for them.
drop index execution_bounded;
create index execution_bounded on execution (id) where state = 'running' and (together_max is not null or bounds is not null or root_id is not null);
