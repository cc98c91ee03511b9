-- The oldest run of a workflow that waits for its turn.
create index workflow_runs_queued on workflow_runs (workflow_id, created_at_ms, id)
    where state = 'queued' and outcome is null;
