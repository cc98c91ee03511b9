create table external_users (
    id text primary key,
    project_id text not null references projects (id) on delete cascade,
    environment text not null,
    external_id text not null,
    created_at_ms bigint not null,
    updated_at_ms bigint not null,
    unique (project_id, environment, external_id),
    unique (project_id, environment, id)
);
