-- The versions of a workflow that its runs are of, and its runs when it is deleted.
create index workflow_runs_by_workflow on workflow_runs (workflow_id, version);

-- Until when a timer is left alone that is due and has no room for its runs.
alter table workflows add column not_before_ms bigint not null default 0;
