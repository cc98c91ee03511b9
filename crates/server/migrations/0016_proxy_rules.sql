-- Which calls to apps a caller may make through the proxy, one rule a line. Null: no rules.
alter table api_clients add column proxy_rules text;
alter table api_keys add column proxy_rules text;
-- Those of whoever made the token.
alter table connect_tokens add column proxy_rules text;
