-- The one user who entered the client for himself; null for the project's own clients.
alter table oauth_apps add column owner_user_id text;
-- Since when no account needs a user's own client, while its last grant is still to be revoked.
alter table oauth_apps add column unused_since_ms bigint;
create index oauth_apps_unused on oauth_apps (unused_since_ms) where unused_since_ms is not null;
create index revocations_by_client on revocations (project_id, oauth_app_id)
    where sealed is not null;

-- While such a client has no row yet, its flow tells which app a browser comes back from.
create index connect_flows_by_client on connect_flows (oauth_app_id) where state = 'authorizing';

-- Whether the person is asked for a client of his own, where the app takes one.
alter table connect_sessions add column own_client boolean not null default false;
