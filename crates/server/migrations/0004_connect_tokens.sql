create table connect_tokens (
    hash bytea primary key,
    project_id text not null references projects (id) on delete cascade,
    environment text not null,
    user_id text not null,
    external_id text not null,
    allowed_origins text not null,
    success_redirect_uri text,
    error_redirect_uri text,
    webhook_uri text,
    scopes text not null,
    app_slug text,
    oauth_app_id text,
    allow_progressive_scopes boolean not null,
    created_by text not null,
    created_at_ms bigint not null,
    expires_at_ms bigint not null,
    -- Set once, by the connection that used the token up.
    used_at_ms bigint,
    foreign key (project_id, environment, user_id)
        references external_users (project_id, environment, id) on delete cascade
);
create index connect_tokens_by_end on connect_tokens (expires_at_ms);
create index connect_tokens_by_user on connect_tokens (project_id, environment, user_id);
