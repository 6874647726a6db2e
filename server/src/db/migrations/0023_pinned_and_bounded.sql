-- What a batch of a workflow was made of, so that whoever edits a draft meanwhile changes none of its rows: graphs by content, the workflow's own
-- and those it calls, under the names they go by. What such an execution calls inherits them.
alter table execution
  add column pins jsonb,
  -- Of executions that were asked for together: how many of them may be at work at once.
  add column together_max int,
  -- Nodes of which only so many runs may be made at once: `[{"max": 4, "nodes": ["a", "b"]}]`, from the iterations they stand in.
  add column bounds jsonb;
create index execution_bounded on execution (id) where state = 'running' and (together_max is not null or bounds is not null);
