-- Apps that a project describes for itself: an app file as text, checked when it was written.
create table custom_apps (
    project_id text not null references projects (id) on delete cascade,
    slug text not null,
    -- The app file (TOML), as it was given.
    definition text not null,
    -- Where the endpoints come from when they were discovered: the URL that was given, and what the
    -- server's metadata said. Null for apps described by hand.
    discovered text,
    version bigint not null,
    created_at_ms bigint not null,
    updated_at_ms bigint not null,
    primary key (project_id, slug)
);
-- Values that an operator sets for an app, so that users are not asked for them.
create table app_overrides (
    id text primary key,
    project_id text not null references projects (id) on delete cascade,
    name text not null,
    app_slug text not null,
    oauth_app_id text,
    -- Field name to value; no secret stands here.
    fields text not null,
    version bigint not null,
    created_at_ms bigint not null,
    updated_at_ms bigint not null,
    unique (project_id, id),
    unique (project_id, name),
    foreign key (project_id, oauth_app_id) references oauth_apps (project_id, id)
);
create index app_overrides_by_app on app_overrides (project_id, app_slug);
-- The override whose values a page does not ask for.
alter table connect_sessions add column app_override_id text;
-- How a client proves itself without a secret that its server knows too. The key is sealed under
-- the project's key like the secret; its public half and the certificate are no secrets.
alter table oauth_apps add column private_key bytea;
alter table oauth_apps add column key_id text;
alter table oauth_apps add column public_jwk text;
alter table oauth_apps add column client_certificate text;
-- Where a client is registered: the address that its app's tokens come from. Two apps may name one
-- server, and a registration there is still one.
alter table oauth_registrations rename column app_slug to registered_at;
alter table oauth_apps add column registered_at text not null default '';
update oauth_apps set registered_at = app_slug;
-- The origin of the redirect URIs of the project's clients, where it is not the server's own.
alter table projects add column callback_origin text;
