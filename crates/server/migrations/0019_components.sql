-- Actions and sources that a project published. Those that are shipped stand in the program itself.
create table components (
    id text primary key,
    project_id text not null references projects (id) on delete cascade,
    -- What callers name it by; begins with `~/`.
    key text not null,
    -- The version that is meant where none is named: the highest.
    latest text not null,
    created_at_ms bigint not null,
    updated_at_ms bigint not null,
    unique (project_id, key)
);

-- What was published never changes: other content is another version.
create table component_versions (
    component_id text not null references components (id) on delete cascade,
    version text not null,
    -- `action` or `source`.
    kind text not null,
    name text not null,
    -- What the code says of itself, as JSON: its fields, hooks and so on.
    described text not null,
    -- The file that is loaded first.
    entry text not null,
    -- What it may do beyond others, by word.
    permissions text not null,
    -- Names of packages that mean ours, by word.
    aliases text not null,
    -- SHA-256 of all that was published, in hexadecimal digits.
    digest text not null,
    created_at_ms bigint not null,
    primary key (component_id, version)
);

create table component_files (
    component_id text not null,
    version text not null,
    path text not null,
    content bytea not null,
    -- SHA-256 of the content, in hexadecimal digits.
    digest text not null,
    primary key (component_id, version, path),
    foreign key (component_id, version)
        references component_versions (component_id, version) on delete cascade
);

-- Fields that a user's choices brought with them, for a day.
create table dynamic_props (
    id text primary key,
    project_id text not null,
    environment text not null,
    user_id text not null,
    -- Of which component and version.
    component text not null,
    version text not null,
    -- The whole list, as JSON.
    props text not null,
    created_at_ms bigint not null,
    expires_at_ms bigint not null,
    foreign key (project_id, environment, user_id)
        references external_users (project_id, environment, id) on delete cascade
);
create index dynamic_props_by_end on dynamic_props (expires_at_ms);

-- What was run for a user lately.
create table component_runs (
    id text primary key,
    project_id text not null,
    environment text not null,
    user_id text not null,
    component text not null,
    version text not null,
    -- `run`, or the step of another thing that runs it.
    about text not null,
    started_at_ms bigint not null,
    ended_at_ms bigint not null,
    -- `ok`, or what kind of failure it was.
    outcome text not null,
    -- Log, exports, value and calls to apps: without secrets, sealed under the user's key.
    sealed bytea not null,
    foreign key (project_id, environment, user_id)
        references external_users (project_id, environment, id) on delete cascade
);
create index component_runs_by_time on component_runs (project_id, environment, started_at_ms, id);

-- Where code keeps values for later runs: each store is one user's.
create table data_stores (
    id text primary key,
    project_id text not null,
    environment text not null,
    user_id text not null,
    name text not null,
    created_at_ms bigint not null,
    unique (project_id, environment, user_id, name),
    foreign key (project_id, environment, user_id)
        references external_users (project_id, environment, id) on delete cascade
);

create table data_store_records (
    store_id text not null references data_stores (id) on delete cascade,
    key text not null,
    -- JSON, sealed under the user's key.
    sealed bytea not null,
    bytes bigint not null,
    -- Null: for ever.
    expires_at_ms bigint,
    updated_at_ms bigint not null,
    primary key (store_id, key)
);
