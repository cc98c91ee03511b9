-- The name by which a link shows its receiver.
alter table connect_tokens add column external_name text;

-- As it was, but that a filled form has no OAuth client, and that a flow may wait for the product's
-- backend to say who came back.
create table connect_flows_anew (
    id text primary key,
    session_id text not null references connect_sessions (id) on delete cascade,
    project_id text not null,
    environment text not null,
    user_id text not null,
    app_slug text not null,
    -- Null for a filled form.
    oauth_app_id text,
    -- 'waiting', 'opened', 'authorizing', 'exchanging', 'held', 'done' or 'failed'.
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
    -- Hash of the id with which the product's backend confirms; it is used once.
    confirm_hash bytea unique,
    -- Verifier, request-token secret and fields asked before, and what is held, sealed under the
    -- user's key. Emptied at the end of the flow.
    sealed bytea not null,
    redirect_uri text not null,
    issuer text,
    binding text not null,
    asked_scopes text not null,
    created_at_ms bigint not null,
    expires_at_ms bigint not null,
    used_at_ms bigint
);
insert into connect_flows_anew (id, session_id, project_id, environment, user_id, app_slug,
    oauth_app_id, state, account_id, error_code, error, ticket_hash, ticket_expires_at_ms,
    state_hash, cookie_hash, sealed, redirect_uri, issuer, binding, asked_scopes, created_at_ms,
    expires_at_ms, used_at_ms)
select id, session_id, project_id, environment, user_id, app_slug, oauth_app_id, state,
    account_id, error_code, error, ticket_hash, ticket_expires_at_ms, state_hash, cookie_hash,
    sealed, redirect_uri, issuer, binding, asked_scopes, created_at_ms, expires_at_ms, used_at_ms
from connect_flows;
drop table connect_flows;
alter table connect_flows_anew rename to connect_flows;
create index connect_flows_by_session on connect_flows (session_id);
create index connect_flows_held on connect_flows (expires_at_ms) where state = 'held';
