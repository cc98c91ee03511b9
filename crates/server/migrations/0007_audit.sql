-- Who did what, when, from where. Rows are only ever added; the connect funnel is kept here too.
create table audit_events (
    id text primary key,
    project_id text,
    environment text,
    at_ms bigint not null,
    actor_kind text not null,
    actor_id text not null,
    action text not null,
    target_kind text,
    target_id text,
    external_id text,
    ip text,
    request_id text,
    outcome text not null,
    detail text
);
create index audit_events_by_tenant on audit_events (project_id, environment, at_ms);
create index audit_events_by_actor on audit_events (actor_id, at_ms);
create index audit_events_by_target on audit_events (target_id, at_ms);
