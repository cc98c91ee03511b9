create table accounts (
    id text primary key,
    project_id text not null references projects (id) on delete cascade,
    environment text not null,
    user_id text not null,
    external_id text not null,
    app_slug text not null,
    -- The registration that obtained the grant; null for key-like apps.
    oauth_app_id text,
    name text,
    scopes text not null,
    missing_scopes text not null,
    binding text not null,
    -- 'healthy', 'error' or 'dead', with a reason for machines and a text for people.
    status text not null,
    reason text,
    error text,
    -- Credentials and the person's id at the provider, sealed under the user's key for exactly this
    -- version.
    sealed bytea not null,
    -- Counts the credentials the row has held; grows when they are replaced and by nothing else.
    version bigint not null,
    expires_at_ms bigint,
    last_refreshed_at_ms bigint,
    next_refresh_at_ms bigint,
    -- Failed refreshes in a row; sets the back-off.
    attempts bigint not null,
    -- Who refreshes just now, so that no two do; over at `lease_until_ms`.
    lease_owner text,
    lease_until_ms bigint not null,
    created_at_ms bigint not null,
    updated_at_ms bigint not null,
    foreign key (project_id, environment, user_id)
        references external_users (project_id, environment, id) on delete cascade
);
create index accounts_by_user on accounts (project_id, environment, user_id, created_at_ms);
create index accounts_by_tenant on accounts (project_id, environment, created_at_ms, id);
create index accounts_by_app on accounts (project_id, environment, app_slug, created_at_ms);
create index accounts_by_refresh on accounts (next_refresh_at_ms)
    where next_refresh_at_ms is not null;

-- What became of grants whose account was deleted. The sealed token is wiped once the provider
-- answered for good.
create table revocations (
    account_id text primary key,
    project_id text not null references projects (id) on delete cascade,
    environment text not null,
    external_id text not null,
    app_slug text not null,
    oauth_app_id text,
    -- 'pending', 'revoked', 'unsupported' or 'failed'.
    outcome text not null,
    detail text,
    -- Sealed under the project's key, since the user's own key may be destroyed first.
    sealed bytea,
    attempts bigint not null,
    created_at_ms bigint not null,
    updated_at_ms bigint not null
);
create index revocations_by_tenant on revocations (project_id, environment, created_at_ms);
