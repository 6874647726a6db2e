-- What a project wants of a retired model: to hear of it, or to have its replacement make the order instead.
alter table project add column retired_models text not null default 'refuse' check (retired_models in ('refuse', 'replace'));
