-- Which root keys this store was ever opened with, so that a process with another key is refused
-- before it writes.
create table root_keys (
    id text primary key,
    first_seen_ms bigint not null
);
