-- One load of the connect page. A newer load of the same token ends the older one.
create table connect_sessions (
    hash bytea primary key,
    id text not null unique,
    token_hash bytea not null references connect_tokens (hash) on delete cascade,
    project_id text not null,
    environment text not null,
    user_id text not null,
    external_id text not null,
    app_slug text not null,
    oauth_app_id text,
    -- Set when an existing account is being reconnected.
    account_id text,
    scope_profile text,
    -- 'iframe' or 'link'.
    mode text not null,
    -- What an account connected here says of how sure the person is.
    binding text not null,
    -- Hash of the cookie of the one browser that goes on with a link.
    browser_hash bytea,
    -- Funnel events taken from the page, which are bounded.
    events bigint not null,
    created_at_ms bigint not null,
    expires_at_ms bigint not null,
    ended_at_ms bigint
);
create index connect_sessions_by_token on connect_sessions (token_hash);
create index connect_sessions_by_end on connect_sessions (expires_at_ms);

-- One run of an authorization flow, from the click to the result.
create table connect_flows (
    id text primary key,
    session_id text not null references connect_sessions (id) on delete cascade,
    project_id text not null,
    environment text not null,
    user_id text not null,
    app_slug text not null,
    oauth_app_id text not null,
    -- 'waiting', 'opened', 'authorizing', 'exchanging', 'done' or 'failed'.
    state text not null,
    -- The account that came of it, once done.
    account_id text,
    error_code text,
    error text,
    ticket_hash bytea,
    ticket_expires_at_ms bigint not null,
    -- Hash of the `state` parameter and of the cookie that binds the browser; both are used once.
    state_hash bytea unique,
    cookie_hash bytea,
    -- Verifier, request-token secret and fields asked before, sealed under the user's key.
    -- Emptied at the end of the flow.
    sealed bytea not null,
    redirect_uri text not null,
    issuer text,
    binding text not null,
    asked_scopes text not null,
    created_at_ms bigint not null,
    expires_at_ms bigint not null,
    used_at_ms bigint
);
create index connect_flows_by_session on connect_flows (session_id);
