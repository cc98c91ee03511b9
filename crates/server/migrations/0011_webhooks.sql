-- Where news is posted to.
create table webhook_endpoints (
    id text primary key,
    project_id text not null references projects (id) on delete cascade,
    environment text not null,
    -- 'own'; 'default', the one of the project's environment; or 'token', one for all addresses of
    -- one origin that connect tokens name.
    kind text not null,
    -- Of 'token' the origin alone. Empty for a default that only signs for 'token'.
    url text not null,
    -- A JSON list of topics; null is all of them.
    topics text,
    -- Sealed under the project's key for exactly this version; null for 'token', for which the
    -- default signs. The former secret signs beside it until its time is over.
    secret bytea,
    former_secret bytea,
    former_until_ms bigint not null,
    version bigint not null,
    -- How it takes what is sent: 'happy', 'penalty', 'life_support' or 'deactivated'.
    state text not null,
    state_since_ms bigint not null,
    -- Failures in a row, the time of the first of them, and until when nothing is sent.
    failures bigint not null,
    failing_since_ms bigint not null,
    pause_until_ms bigint not null,
    last_error text,
    -- News that came while nothing was sent any more.
    sheds bigint not null,
    created_at_ms bigint not null,
    updated_at_ms bigint not null
);
create index webhook_endpoints_by_tenant on webhook_endpoints (project_id, environment);
create unique index webhook_endpoints_default on webhook_endpoints (project_id, environment)
    where kind = 'default';
create unique index webhook_endpoints_token on webhook_endpoints (project_id, environment, url)
    where kind = 'token';

-- One piece of news on its way to one endpoint. No key to the endpoint, so that one that is deleted
-- at the same moment does not undo what the news is about.
create table webhook_deliveries (
    id text primary key,
    -- The same for every endpoint that gets the news.
    message_id text not null,
    endpoint_id text not null,
    project_id text not null references projects (id) on delete cascade,
    environment text not null,
    topic text not null,
    account_id text,
    -- Address (if it is not the endpoint's) and body, sealed under the project's key; wiped once
    -- delivered.
    sealed bytea,
    -- 'waiting', 'delivered' or 'failed'.
    state text not null,
    attempts bigint not null,
    next_at_ms bigint not null,
    lease_until_ms bigint not null,
    last_status bigint,
    last_error text,
    created_at_ms bigint not null,
    -- When it was put into the queue, the last time.
    queued_at_ms bigint not null,
    updated_at_ms bigint not null,
    unique (endpoint_id, message_id)
);
create index webhook_deliveries_due on webhook_deliveries (endpoint_id, next_at_ms)
    where state = 'waiting';
create index webhook_deliveries_by_age on webhook_deliveries (state, updated_at_ms);
create index webhook_deliveries_by_endpoint on webhook_deliveries (endpoint_id, created_at_ms, id);

-- The token's text, sealed, for the news to its `webhook_uri`. Wiped when the token is used up.
alter table connect_tokens add column sealed bytea;
