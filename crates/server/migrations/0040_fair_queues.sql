-- The versions of a workflow that its runs are of, and its runs when it is deleted.
create index workflow_runs_by_workflow on workflow_runs (workflow_id, version);

-- Until when a timer is left alone that is due and has no room for its runs.
alter table workflows add column not_before_ms bigint not null default 0;

-- Jobs are taken by queue, so that those of one project, or for one slow receiver, keep nobody
-- else's waiting. A lane has its own workers: 0 for this server's own work, 1 for requests of code,
-- 2 for revocations. Jobs of before are of no project in particular.
alter table jobs add column lane bigint not null default 0;
alter table jobs add column project_id text not null default '';
alter table jobs add column queue text not null default '';
update jobs set lane = case kind when 'send_letter' then 1 when 'revoke_grant' then 2 else 0 end;
drop index jobs_by_time;
create index jobs_by_queue on jobs (lane, queue, run_at_ms);
create index jobs_by_project on jobs (project_id, lane);
