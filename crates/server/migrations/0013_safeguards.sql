-- When a credential of ours was seen in a URL, where logs and histories keep it.
alter table api_clients add column exposed_at_ms bigint;
alter table api_keys add column exposed_at_ms bigint;

-- Where handing out credentials is stopped. An empty project or app stands for all of them.
create table freezes (
    project_id text not null,
    app_slug text not null,
    created_by text not null,
    created_at_ms bigint not null,
    primary key (project_id, app_slug)
);

-- Users with very many accounts are erased in steps. From its first moment nobody finds the user,
-- whose row waits under a name that no caller can say.
alter table external_users add column erased_at_ms bigint;
create table erasures (
    id text primary key,
    project_id text not null references projects (id) on delete cascade,
    environment text not null,
    user_id text not null,
    revoke_grants boolean not null,
    -- How many accounts there were, and how many of them are gone.
    accounts bigint not null,
    erased bigint not null,
    created_at_ms bigint not null,
    finished_at_ms bigint
);
create index erasures_by_user on erasures (project_id, environment, user_id);
