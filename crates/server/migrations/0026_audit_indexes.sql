-- Each credential that is handed out is a row here, of another account each time: an index by
-- target is written at as many places as there are accounts, and costs more than all else of the
-- row. Only refreshes are looked up by account. Who asks what a caller did asks by project and
-- time.
drop index audit_events_by_actor;
drop index audit_events_by_target;
create index audit_events_refreshes on audit_events (target_id, at_ms)
    where action = 'account.refresh';
