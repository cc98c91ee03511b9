-- What runs for a user by itself: sources that were deployed, and interfaces without code.
create table triggers (
    id text primary key,
    project_id text not null,
    environment text not null,
    user_id text not null,
    -- `source`; without code, `http` and `timer`.
    kind text not null,
    component_id text not null,
    component_key text not null,
    version text not null,
    name text not null,
    -- What it is configured with, sealed under the user's key for exactly this revision.
    sealed bytea not null,
    revision bigint not null,
    emit_on_deploy boolean not null,
    -- `deploying`, `active`, `inactive`, or `paused` after it failed too often.
    state text not null,
    -- Failures in a row, and what the last of them said, sealed.
    failures bigint not null,
    trouble bytea,
    -- When there is something to do; the greatest number when there is nothing. What failed is left
    -- alone for a while.
    due_at_ms bigint not null,
    not_before_ms bigint not null,
    -- Whoever takes the lease counts the fence on; what is written under an older one is refused.
    lease_until_ms bigint not null,
    fence bigint not null,
    -- Events so far: each is numbered.
    emitted bigint not null,
    created_at_ms bigint not null,
    updated_at_ms bigint not null,
    foreign key (project_id, environment, user_id)
        references external_users (project_id, environment, id) on delete cascade
);
create index triggers_by_user on triggers (project_id, environment, user_id, created_at_ms, id);
create index triggers_due on triggers (due_at_ms) where state = 'active';

-- What a trigger is woken by.
create table trigger_interfaces (
    id text primary key,
    trigger_id text not null references triggers (id) on delete cascade,
    -- The field that it belongs to.
    prop text not null,
    -- `http` or `timer`.
    kind text not null,
    -- The secret part of the address: SHA-256 to find it by, and itself, sealed, to be shown.
    key_hash bytea,
    key_sealed bytea,
    custom_response boolean not null,
    -- Of a timer one of the two, and when it is due.
    interval_s bigint,
    cron text,
    timezone text not null,
    due_at_ms bigint not null,
    changed_at_ms bigint not null,
    created_at_ms bigint not null,
    updated_at_ms bigint not null,
    unique (trigger_id, prop)
);
create unique index trigger_interfaces_by_key on trigger_interfaces (key_hash)
    where key_hash is not null;

-- What a source keeps in `$.service.db`, and which events it emitted before, sealed for exactly
-- this version.
create table trigger_states (
    trigger_id text primary key references triggers (id) on delete cascade,
    sealed bytea not null,
    version bigint not null
);

-- The latest events, sealed.
create table trigger_events (
    trigger_id text not null references triggers (id) on delete cascade,
    nth bigint not null,
    at_ms bigint not null,
    sealed bytea not null,
    primary key (trigger_id, nth)
);

-- Requests that were answered and wait to be worked off, sealed.
create table trigger_calls (
    id text primary key,
    trigger_id text not null references triggers (id) on delete cascade,
    sealed bytea not null,
    attempts bigint not null,
    created_at_ms bigint not null
);
create index trigger_calls_by_trigger on trigger_calls (trigger_id, created_at_ms, id);

create table trigger_workflows (
    trigger_id text not null references triggers (id) on delete cascade,
    workflow_id text not null,
    nth bigint not null,
    primary key (trigger_id, workflow_id)
);

-- An endpoint of one trigger gets its events and nothing else.
alter table webhook_endpoints add column emitter_id text references triggers (id) on delete cascade;
create index webhook_endpoints_by_emitter on webhook_endpoints (emitter_id)
    where emitter_id is not null;
create unique index webhook_endpoints_of_emitter on webhook_endpoints (emitter_id, url)
    where emitter_id is not null;
