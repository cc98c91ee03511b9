-- How often the step that is next was begun. A process that died in the middle of it counts too.
alter table workflow_runs add column begun bigint not null default 0;
update workflow_runs set begun = failures where outcome is null;

-- What a step told the caller of a run's address at once, until that caller has it. Sealed.
create table workflow_answers (
    run_id text primary key references workflow_runs (id) on delete cascade,
    sealed bytea not null
);
