-- OAuth clients registered at providers. A registration belongs to one project and is never shared
-- (RFC 9700 update, context binding).
create table oauth_apps (
    id text primary key,
    project_id text not null references projects (id) on delete cascade,
    app_slug text not null,
    name text not null,
    description text,
    client_id text not null,
    -- Sealed under the project's key; null for public clients and while the secret is not known
    -- yet.
    client_secret bytea,
    scopes text,
    additional_scopes text not null,
    version bigint not null,
    created_at_ms bigint not null,
    updated_at_ms bigint not null,
    unique (project_id, id)
);
create index oauth_apps_by_app on oauth_apps (project_id, app_slug);
-- The same registration cannot be entered for a second project.
create table oauth_registrations (
    app_slug text not null,
    client_id text not null,
    project_id text not null references projects (id) on delete cascade,
    primary key (app_slug, client_id)
);
