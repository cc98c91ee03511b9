-- One text for SQLite and PostgreSQL. Times are UTC milliseconds, `*_ms`; JSON is text; secrets are
-- only ever hashed or sealed.

create table projects (
    id text primary key,
    name text not null,
    app_name text,
    support_email text,
    -- Page settings (accent, links) and policy (redirect allow-list, origins), as JSON of
    -- projects::Settings.
    settings text not null,
    require_key_test boolean not null,
    logo_type text,
    logo bytea,
    created_at_ms bigint not null,
    updated_at_ms bigint not null
);

-- OAuth clients of this server's own API (RFC 6749 section 4.4). Without a project, a client
-- reaches every project.
create table api_clients (
    id text primary key,
    project_id text references projects (id) on delete cascade,
    name text not null,
    secret_hash bytea not null,
    scopes text not null,
    created_at_ms bigint not null,
    last_used_at_ms bigint,
    revoked_at_ms bigint
);

create table access_tokens (
    hash bytea primary key,
    client_id text not null references api_clients (id) on delete cascade,
    scopes text not null,
    expires_at_ms bigint not null
);
create index access_tokens_by_end on access_tokens (expires_at_ms);

-- Keys in the older style: sent as they are, each bound to one project.
create table api_keys (
    id text primary key,
    project_id text not null references projects (id) on delete cascade,
    name text not null,
    key_hash bytea not null unique,
    scopes text not null,
    created_at_ms bigint not null,
    last_used_at_ms bigint,
    revoked_at_ms bigint
);

-- Keys that seal: one for each external user and one for each project, wrapped by the root key.
-- Destroying a row makes all that was sealed under it unreadable for ever.
create table owner_keys (
    project_id text not null references projects (id) on delete cascade,
    environment text not null,
    owner_id text not null,
    wrapped bytea not null,
    root_key_id text not null,
    created_at_ms bigint not null,
    primary key (project_id, environment, owner_id)
);
create index owner_keys_by_root on owner_keys (root_key_id);
