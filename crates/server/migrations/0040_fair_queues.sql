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

-- What is over, by its age. What waits is looked up by its endpoint alone.
drop index webhook_deliveries_by_age;
create index webhook_deliveries_over on webhook_deliveries (state, updated_at_ms)
    where state <> 'waiting';

-- Lists that are paged, newest first.
create index webhook_deliveries_by_tenant
    on webhook_deliveries (project_id, environment, created_at_ms, id);
create index external_users_by_tenant
    on external_users (project_id, environment, created_at_ms, id);

-- What news goes to, without the addresses of connect tokens and of triggers, which may be many.
create index webhook_endpoints_for_news on webhook_endpoints (project_id, environment, id)
    where kind not in ('token', 'emitter');

-- What is deleted with its user, and with its client.
create index dynamic_props_by_user on dynamic_props (project_id, environment, user_id);
create index access_tokens_by_client on access_tokens (client_id);

-- Runs that are over, of which an environment keeps so many.
create index workflow_runs_ended on workflow_runs (project_id, environment, created_at_ms, id)
    where state = 'ended';
