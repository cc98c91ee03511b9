-- Steps that follow each other, started by an address, a clock or other runs.
create table workflows (
    id text primary key,
    project_id text not null references projects (id) on delete cascade,
    -- What people name it by.
    name text not null,
    -- The version that new runs are of.
    version bigint not null,
    -- How callers of its address prove who they are: `none`, `bearer` or `oauth`; null where it has
    -- no address.
    auth text,
    -- The secret part of the address: SHA-256 to find it by, and itself, sealed, to be shown.
    key_hash bytea,
    key_sealed bytea,
    -- SHA-256 of its own bearer token.
    bearer_hash bytea,
    -- Runs that were begun since the window of its throttle began.
    window_from_ms bigint not null,
    window_runs bigint not null,
    -- When its timer is due; null where it has none. While the runs of one time are being made for
    -- many users, the user after whom to go on.
    due_at_ms bigint,
    after_user text,
    created_at_ms bigint not null,
    updated_at_ms bigint not null,
    unique (project_id, name)
);
create unique index workflows_by_key on workflows (key_hash) where key_hash is not null;
create index workflows_due on workflows (due_at_ms) where due_at_ms is not null;

-- What was deployed never changes: runs that are under way go on with their own version.
create table workflow_versions (
    workflow_id text not null references workflows (id) on delete cascade,
    version bigint not null,
    -- As it is run, in JSON, with the code of its steps.
    definition text not null,
    -- SHA-256 of what was deployed, in hexadecimal digits.
    digest text not null,
    created_at_ms bigint not null,
    primary key (workflow_id, version)
);

create table workflow_runs (
    id text primary key,
    workflow_id text not null references workflows (id) on delete cascade,
    project_id text not null,
    environment text not null,
    user_id text not null,
    version bigint not null,
    -- What started it: `http`, `call`, `timer`, `trigger`, `flow`, `error` or `replay`.
    cause text not null,
    -- Another run that it repeats, that started it, or whose failure it is about.
    of_run text,
    -- What cannot start two runs of a workflow has a name.
    once text,
    -- `queued`, `running`, `waiting` or `ended`.
    state text not null,
    -- Once it has ended: `ok`, `exit`, `failed`, `cancelled` or `expired`.
    outcome text,
    -- The step that is next, and how often it failed, and was repeated by its own wish.
    step bigint not null,
    failures bigint not null,
    reruns bigint not null,
    -- What the run knows beside its steps, sealed under the user's key for exactly this revision.
    sealed bytea not null,
    revision bigint not null,
    -- SHA-256 of the secret part of the addresses that resume or cancel it, while it waits.
    resume_hash bytea,
    due_at_ms bigint not null,
    -- Whoever takes the lease counts the fence on; what is written under an older one is refused.
    lease_until_ms bigint not null,
    fence bigint not null,
    created_at_ms bigint not null,
    started_at_ms bigint,
    ended_at_ms bigint,
    foreign key (project_id, environment, user_id)
        references external_users (project_id, environment, id) on delete cascade
);
create index workflow_runs_due on workflow_runs (due_at_ms) where outcome is null;
create index workflow_runs_by_time
    on workflow_runs (project_id, environment, created_at_ms, id);
create index workflow_runs_under_way on workflow_runs (workflow_id, state) where outcome is null;
create unique index workflow_runs_once on workflow_runs (workflow_id, once)
    where once is not null;
create unique index workflow_runs_by_resume on workflow_runs (resume_hash)
    where resume_hash is not null;

-- Steps that are over. What stands here is never done again.
create table workflow_steps (
    run_id text not null references workflow_runs (id) on delete cascade,
    nth bigint not null,
    name text not null,
    -- `ok`, `skipped` or `failed`.
    state text not null,
    -- How often its code was run for it.
    tries bigint not null,
    started_at_ms bigint not null,
    ended_at_ms bigint not null,
    -- What it got, exported, logged and called, sealed.
    sealed bytea not null,
    primary key (run_id, nth)
);

-- Events of deployed triggers that are still to start a workflow, sealed under the user's key.
create table trigger_starts (
    trigger_id text not null references triggers (id) on delete cascade,
    workflow_id text not null,
    nth bigint not null,
    sealed bytea not null,
    due_at_ms bigint not null,
    primary key (trigger_id, workflow_id, nth)
);
create index trigger_starts_due on trigger_starts (due_at_ms);
