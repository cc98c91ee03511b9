-- Public keys of API clients, by which they prove themselves (RFC 7523 section 2.2). A client with
-- a key alone has an empty secret_hash, which no secret has.
create table client_public_keys (
    client_id text not null references api_clients (id) on delete cascade,
    -- What an assertion's `kid` says.
    id text not null,
    jwk text not null,
    created_at_ms bigint not null,
    primary key (client_id, id)
);

-- Assertions that were used, so that none is taken twice by any process. Gone once each would be
-- refused for its age.
create table used_assertions (
    client_id text not null references api_clients (id) on delete cascade,
    jti_hash bytea not null,
    forget_at_ms bigint not null,
    primary key (client_id, jti_hash)
);
create index used_assertions_by_end on used_assertions (forget_at_ms);

-- Limits that customers set themselves: requests that name one share its windows. Without a
-- project, every project of the server may name it. The id is no secret: it opens nothing.
create table rate_limits (
    id text primary key,
    project_id text references projects (id) on delete cascade,
    window_s bigint not null,
    requests bigint not null,
    created_at_ms bigint not null
);

-- What was used, by the hour. Kept when a project is deleted: it was used all the same.
create table usage_hours (
    project_id text not null,
    environment text not null,
    hour_ms bigint not null,
    counter text not null,
    amount bigint not null,
    primary key (project_id, environment, hour_ms, counter)
);
create index usage_hours_by_time on usage_hours (hour_ms);

-- Counts that processes have added, so that none is added twice where an answer was lost.
create table usage_batches (
    id text primary key,
    added_at_ms bigint not null
);
