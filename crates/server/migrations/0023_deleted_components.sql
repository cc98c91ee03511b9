-- Versions of components that were deleted: who publishes one again publishes the same, since
-- workflows and triggers name versions that never change.
create table deleted_component_versions (
    project_id text not null references projects (id) on delete cascade,
    key text not null,
    version text not null,
    digest text not null,
    primary key (project_id, key, version)
);
