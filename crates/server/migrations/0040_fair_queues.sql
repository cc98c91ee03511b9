-- The versions of a workflow that its runs are of, and its runs when it is deleted.
create index workflow_runs_by_workflow on workflow_runs (workflow_id, version);
