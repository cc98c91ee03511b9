-- Work to be done later, written in the transaction that made it necessary.
create table jobs (
    id text primary key,
    kind text not null,
    payload text not null,
    run_at_ms bigint not null,
    attempts bigint not null,
    lease_until_ms bigint not null,
    last_error text,
    created_at_ms bigint not null
);
create index jobs_by_time on jobs (run_at_ms);
