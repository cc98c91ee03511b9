-- A refresh token that was used and whose successor is not stored is lost at many apps. So a row
-- says what is under way before the first byte leaves, and what came of it.

-- Grows with every exchange begun; what an exchange brings is stored only under its own.
alter table accounts add column fence bigint not null default 0;
-- 'sent': a refresh token may have left, and what came of it is not stored. Or 'none'.
alter table accounts add column intent text not null default 'none';
-- The exchange whose tokens the row holds.
alter table accounts add column operation text;
-- When an exchange last ended without telling what the app did; null since one ended well.
alter table accounts add column unknown_at_ms bigint;
-- The version that the user's last consent made. Older ones belong to another grant.
alter table accounts add column granted_version bigint not null default 1;
alter table accounts add column granted_at_ms bigint not null default 0;
-- Whether the product was told that it fails, and not yet that it works again.
alter table accounts add column told boolean not null default false;
-- Whether it is refreshed before the app would drop it for being idle.
alter table accounts add column keep_alive boolean not null default true;
-- When the app will end the grant whatever we do, as far as is known, and whether that was told.
alter table accounts add column ends_at_ms bigint;
alter table accounts add column end_told boolean not null default false;
update accounts set granted_version = version,
    granted_at_ms = coalesce(last_refreshed_at_ms, created_at_ms);

create index accounts_by_intent on accounts (lease_until_ms) where intent = 'sent';
create index accounts_by_client on accounts (project_id, oauth_app_id);
create index accounts_by_end on accounts (ends_at_ms) where ends_at_ms is not null;

-- Answers of apps that could not be put into their row: it had moved on, or they could not be read.
-- They may hold the only refresh token that still works.
create table refresh_candidates (
    operation text primary key,
    account_id text not null references accounts (id) on delete cascade,
    project_id text not null,
    environment text not null,
    -- The version that the exchange began with.
    version bigint not null,
    received_at_ms bigint not null,
    -- Sealed under the user's key.
    sealed bytea not null
);
create index refresh_candidates_by_account on refresh_candidates (account_id, received_at_ms);
