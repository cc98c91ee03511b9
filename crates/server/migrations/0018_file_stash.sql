-- Files that one step hands to the next, for a day.
create table stash_files (
    id text primary key,
    project_id text not null,
    environment text not null,
    user_id text not null,
    -- Files of one stash belong together.
    stash_id text not null,
    -- What callers name it by; the project, the user, the stash and the name are in it.
    s3_key text not null,
    -- What has arrived of it. Nobody finds it before it is whole.
    bytes bigint not null,
    chunks bigint not null,
    complete boolean not null,
    created_at_ms bigint not null,
    expires_at_ms bigint not null,
    unique (project_id, environment, s3_key),
    foreign key (project_id, environment, user_id)
        references external_users (project_id, environment, id) on delete cascade
);
create index stash_files_by_user on stash_files (project_id, environment, user_id, stash_id);

-- The bytes, each chunk sealed under the user's key for exactly this place.
create table stash_chunks (
    file_id text not null references stash_files (id) on delete cascade,
    nth bigint not null,
    sealed bytea not null,
    primary key (file_id, nth)
);
