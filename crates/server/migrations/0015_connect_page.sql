-- The only apps that a token connects: a JSON list of slugs; null is every app.
alter table connect_tokens add column allowed_apps text;
-- connect_sessions.app_slug is empty until the person has chosen an app from the list.
