//! A wrong file is refused, and the message names the place, what is wrong and what to do.

use grantkeep_catalog::{Catalog, LoadError, Options, Problem, Severity, check};

const GOOD: &str = r##"slug = "acme"
name = "Acme"
description = "Makes everything."
homepage = "https://acme.example.com"
categories = ["CRM"]
popularity = 5
color = "#112233"
purpose = "see your orders"
auth = "oauth2"

[[fields]]
name = "tenant"
label = "Tenant"
host = { form = "label" }

[[fields]]
name = "extra_key"
label = "Extra key"
kind = "password"
help = "In your settings."
optional = true

[oauth2]
authorization_url = "https://${tenant}.acme.com/authorize"
token_url = "https://${tenant}.acme.com/token"

[oauth2.scopes]
default = ["read"]
profiles = { read_only = ["read"], read_write = ["read", "write"] }
words = { read = "See orders", write = "Change orders" }

[oauth2.rotation]
class = "P6"
reuse = "deny"
source = "documentation"
checked_on = "2026-11-22"

[oauth2.revocation]
url = "https://${tenant}.acme.com/revoke"

[learned.shard]
from = "token_answer"
path = "data.shard"
host = { form = "url", under = [".acme.com"] }

[verify]
url = "https://api.acme.com/me"

[identity]
from = "verify"
name = ["email"]
subject = ["field:tenant", "id"]

[proxy]
base_url = "https://api.acme.com"
hosts = ["files.acme.com", "*.acme.net"]

[proxy.headers]
authorization = "Bearer ${oauth_access_token}"

[evidence]
confirmed = 1
checked_on = "2026-11-22"
"##;

/// The good file with one text replaced, which must be there once.
fn with(old: &str, new: &str) -> String {
    assert_eq!(GOOD.matches(old).count(), 1, "{old:?} is not there once");
    GOOD.replace(old, new)
}

fn problems(text: &str) -> Vec<Problem> {
    check::file("apps/a/acme.toml", text, Options::default())
}

#[track_caller]
fn refused(old: &str, new: &str, place: &str, wrong: &str) {
    let found = problems(&with(old, new));
    let hit = |it: &Problem| {
        it.severity == Severity::Error
            && it.place.starts_with("apps/a/acme.toml")
            && it.place.contains(place)
            && it.wrong.contains(wrong)
            && !it.fix.is_empty()
    };
    assert!(found.iter().any(hit), "{place} / {wrong} is not among {found:#?}");
}

#[test]
fn the_good_file_is_good() {
    assert_eq!(problems(GOOD), []);
}

#[test]
fn a_message_names_file_line_key_and_cure() {
    let found = problems(&with("popularity = 5", "popularitty = 5"));
    let text = found[0].to_string();
    assert!(text.contains("apps/a/acme.toml:6"), "{text}");
    assert!(text.contains("popularitty") && text.contains("correct its spelling"), "{text}");
    refused("popularity = 5\n", "", "acme.toml", "missing field `popularity`");
    refused("popularity = 5", "popularity = \"5\"", ":6", "invalid type");
    refused("class = \"P6\"", "class = \"P9\"", ":33", "unknown variant `P9`");
    refused("popularity = 5", "popularity = ", ":6", "");
}

#[test]
fn kind_and_table_go_together() {
    refused("auth = \"oauth2\"", "auth = \"keys\"", "oauth2", "another kind");
    refused("auth = \"oauth2\"", "auth = \"oauth1\"", "oauth2", "another kind");
    let without = GOOD.replace("[oauth2", "[other").replace("[other", "[oauth9");
    assert!(problems(&without)[0].wrong.contains("oauth9"));
}

#[test]
fn names_and_looks_are_held_to() {
    refused("slug = \"acme\"", "slug = \"Acme\"", "slug", "not a slug");
    refused("slug = \"acme\"", "slug = \"acme2\"", "slug", "file's name");
    refused("\"#112233\"", "\"blue\"", "color", "not a colour");
    refused("[\"CRM\"]", "[\"Crm\"]", "categories", "`Crm`");
    refused("popularity = 5", "popularity = 101", "popularity", "more than 100");
    refused("confirmed = 1", "confirmed = 0", "evidence.confirmed", "nobody");
}

#[test]
fn only_https_to_a_named_host() {
    let token = "token_url = \"https://${tenant}.acme.com/token\"";
    let url = |url: &str| format!("token_url = \"{url}\"");
    for (bad, wrong) in [
        ("http://acme.com/token", "not https"),
        ("ftp://acme.com/token", "not https"),
        ("https://10.0.0.1/token", "not a name"),
        ("https://[fd00::1]/token", "not a name"),
        ("https://0x7f.1/token", "loopback"),
        ("https://0xa.0.0.1/token", "not a name"),
        ("https://intranet/token", "not a name"),
        ("https://u:p@acme.com/token", "a user"),
        ("https://acme.com:8443/token", "a port"),
        ("https://acme.com/token#x", "an anchor"),
        ("http://127.0.0.1/token", "loopback"),
        ("https://localhost/token", "loopback"),
        ("/token", "not a URL"),
        ("https://${tenant/token", "never closed"),
        ("https://${nobody}.acme.com/token", "`${nobody}` is not a field"),
        ("https://acme.com/${extra_key}", "`extra_key` may be missing"),
        ("https://${oauth_access_token}.acme.com/t", "in a host"),
    ] {
        refused(token, &url(bad), "oauth2.token_url", wrong);
    }
}

#[test]
fn p_02_a_name_in_a_host_needs_a_fitting_rule() {
    let rule = "host = { form = \"label\" }";
    for bad in ["", "host = { form = \"name\" }", "host = { form = \"url\" }"] {
        refused(rule, bad, "oauth2.token_url", "decides the host");
    }
    let base = "base_url = \"https://api.acme.com\"";
    refused(base, "base_url = \"https://${tenant}\"", "proxy.base_url", "decides the host");
    refused(base, "base_url = \"${tenant}\"", "proxy.base_url", "decides the host");
    assert_eq!(
        problems(
            &with(base, "base_url = \"${shard}\"").replace("api.acme.com/me", "x.acme.net/me")
        ),
        []
    );
    refused("under = [\".acme.com\"]", "under = [\"com\"]", "learned.shard", "`com` is not a host");
}

#[test]
fn p_02_a_clients_secret_goes_only_to_the_provider() {
    let token = "token_url = \"https://${tenant}.acme.com/token\"";
    let url = |url: &str| format!("token_url = \"{url}\"");
    for open in ["https://acme.${tenant}", "https://${tenant}.com", "https://a.${tenant}.co.uk"] {
        refused(token, &url(&format!("{open}/t")), "oauth2.token_url", "whose host it is");
    }
    let whole = GOOD.replace("https://${tenant}.acme.com", "https://${tenant}");
    let any = whole.replace("form = \"label\"", "form = \"name\"");
    let told = |text: &str| problems(text).into_iter().map(|it| it.wrong).collect::<Vec<_>>();
    assert!(told(&any).iter().any(|it| it.contains("the client's secret goes there")), "{any}");
    let ends = any.replace("form = \"name\"", "form = \"name\", under = [\".acme.com\"]");
    assert_eq!(problems(&ends), []);
    let public = any.replace("[oauth2.scopes]", "client_auth = \"none\"\n[oauth2.scopes]");
    assert_eq!(problems(&public), []);
}

#[test]
fn what_is_missing_is_said_in_the_file() {
    let incomplete = GOOD
        .replace("confirmed = 1", "confirmed = 0\nmissing = [\"a token URL\"]")
        .split("[oauth2]")
        .next()
        .map(|it| format!("{it}[evidence]\nconfirmed = 0\nchecked_on = \"2026-11-22\"\n"))
        .unwrap();
    assert!(problems(&incomplete).iter().any(|it| it.wrong.contains("without a [oauth2] table")));
    let honest = format!("{incomplete}missing = [\"a token URL\"]\n");
    assert!(problems(&honest).iter().all(|it| it.severity == Severity::Warning), "{honest}");
    let catalog = Catalog::from_files([("acme.toml", &*honest)], Options::default()).unwrap();
    assert!(!catalog.get("acme").unwrap().is_connectable());
    let status = with("confirmed = 1", "confirmed = 3\nstatus = \"confirmed\"\nmissing = [\"x\"]");
    assert!(problems(&status).iter().any(|it| it.wrong.contains("something is missing")));
}

#[test]
fn authorization_is_held_to() {
    let table = "[oauth2.scopes]";
    let add = |text: &str| format!("{text}\n{table}");
    refused(table, &add("pkce = false"), "oauth2.pkce", "without a reason");
    refused(table, &add("pkce = false\npkce_reason = \" \""), "oauth2.pkce", "without a reason");
    refused(table, &add("iss_required = true"), "oauth2.iss_required", "no issuer");
    refused(table, &add("authorization_params = { state = \"x\" }"), "params", "`state`");
    refused(table, &add("token_headers = { \"x y\" = \"1\" }"), "token_headers", "not a header");
    refused(table, &add("token_headers = { host = \"evil\" }"), "token_headers", "may not be set");
    refused("[\"read\", \"write\"]", "[\"write\"]", "profiles.read_write", "`read` of read_only");
    refused("[\"read\", \"write\"]", "[\"read\", \"a b\"]", "read_write", "not one scope");
    refused("[\"read\", \"write\"]", "[\"read\", \"read\"]", "read_write", "twice");
    refused("reuse = \"deny\"", "reuse = \"family\"", "oauth2.rotation", "reuse disagree");
    refused("class = \"P6\"", "class = \"P3\"", "oauth2.rotation", "grace_s disagree");
    refused("class = \"P6\"", "class = \"P4\"\ngrace_s = 30", "oauth2.rotation", "disagree");
    refused("acme.com/revoke\"", "acme.com/${token}\"", "oauth2.revocation", "place disagree");
}

#[test]
fn a_credential_goes_only_where_the_proxy_may() {
    let verify = "url = \"https://api.acme.com/me\"";
    for bad in ["evil.example.com", "acme.com", "acme.net", "xacme.net", "api.acme.com.evil.net"] {
        let url = format!("url = \"https://{bad}/me\"");
        refused(verify, &url, "verify", "not one of the proxy's hosts");
    }
    for good in ["files.acme.com", "a.acme.net", "a.b.acme.net", "api.acme.com"] {
        assert_eq!(problems(&with(verify, &format!("url = \"https://{good}/me\""))), [], "{good}");
    }
    refused("\"*.acme.net\"", "\"*\"", "proxy.hosts", "`*`");
    refused("Bearer ${oauth_access_token}", "Bearer", "proxy", "no credential");
    refused("Bearer ${oauth_access_token}", "${base64(${x})", "proxy.headers", "never closed");
    refused("\"field:tenant\"", "\"field:extra_key\"", "identity", "a secret one");
    refused("from = \"verify\"", "from = \"request\"", "identity.request", "missing");
}

#[test]
fn fields_are_held_to() {
    refused("kind = \"password\"", "secret = true", "fields.extra_key", "shown as text");
    refused("name = \"extra_key\"", "name = \"tenant\"", "fields.tenant", "twice");
    refused("name = \"extra_key\"", "name = \"oauth_access_token\"", "fields.", "built-in");
    refused("name = \"extra_key\"", "name = \"Key\"", "fields.Key", "not a name");
    refused("kind = \"password\"", "kind = \"select\"", "fields.extra_key", "options");
    refused("label = \"Extra key\"", "label = \"K\"\npattern = \"(\"", "extra_key", "pattern");
    refused("label = \"Extra key\"", "label = \"K\"\ndefault = \"x\"", "extra_key", "default");
}

#[test]
fn what_users_miss_is_a_warning() {
    let found = problems(&with("read = \"See orders\", ", ""));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].severity, Severity::Warning);
    assert!(found[0].wrong.contains("`read` has no words"));
}

#[test]
fn loopback_is_for_the_simulator_only() {
    let local = GOOD
        .replace("https://${tenant}.acme.com", "http://127.0.0.1:4010/acme")
        .replace("https://api.acme.com", "http://localhost:4010");
    assert!(problems(&local).iter().any(|it| it.wrong == "a loopback address"));
    let options = Options { allow_loopback: true };
    assert_eq!(check::file("apps/a/acme.toml", &local, options), []);
    let other = GOOD.replace("https://api.acme.com", "http://192.168.0.1");
    assert!(!check::file("apps/a/acme.toml", &other, options).is_empty());
}

#[test]
fn a_folder_adds_apps_and_wins() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("mine")).unwrap();
    std::fs::write(folder.path().join("mine/acme.toml"), GOOD).unwrap();
    std::fs::write(folder.path().join("readme.md"), "not an app").unwrap();
    let own = GOOD.replace("slug = \"acme\"", "slug = \"slack\"");
    std::fs::write(folder.path().join("slack.toml"), own).unwrap();
    let builtin = Catalog::builtin();
    let catalog = builtin.with_dir(folder.path(), Options::default()).unwrap();
    assert_eq!(catalog.entries().len(), builtin.entries().len() + 1);
    assert_eq!(catalog.get("acme").unwrap().name, "Acme");
    let slack = catalog.get("slack").unwrap();
    assert_eq!(slack.name, "Acme");
    assert_eq!(slack.id, builtin.get("slack").unwrap().id, "ids come from the slug alone");
    assert_eq!(catalog.find(&slack.id).unwrap().slug, "slack");
}

#[test]
fn a_wrong_folder_names_every_problem() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = GOOD.replace("#112233", "blue").replace("popularity = 5", "popularity = 200");
    std::fs::write(folder.path().join("acme.toml"), wrong).unwrap();
    std::fs::write(folder.path().join("zebra.toml"), "slug = 3").unwrap();
    let error = Catalog::builtin().with_dir(folder.path(), Options::default()).unwrap_err();
    let LoadError::Problems(problems) = &error else { panic!("{error}") };
    assert_eq!(problems.len(), 3);
    assert!(error.to_string().contains("zebra.toml:1"), "{error}");
    let missing = folder.path().join("missing");
    let error = Catalog::builtin().with_dir(&missing, Options::default()).unwrap_err();
    assert!(matches!(error, LoadError::Read { .. }), "{error}");
    let twice = [("a/acme.toml", GOOD), ("b/acme.toml", GOOD)];
    let error = Catalog::from_files(twice, Options::default()).unwrap_err();
    assert!(error.to_string().contains("slug of another file"), "{error}");
}

#[test]
fn what_is_learnt_later_stands_in_no_earlier_request() {
    let learnt = |from: &str, old: &str, new: &str| {
        let table = format!("[learned.shop]\nfrom = \"{from}\"\npath = \"shop\"\n\n[evidence]");
        let text = with(old, new).replace("[evidence]", &table);
        problems(&text).into_iter().any(|it| it.wrong.contains("`shop` is not known yet"))
    };
    let (page, token) = ("acme.com/authorize", "acme.com/token");
    let with_shop = |at: &str| format!("{at}/${{shop}}");
    assert!(learnt("token_answer", page, &with_shop(page)));
    assert!(learnt("callback", page, &with_shop(page)));
    assert!(learnt("verify", token, &with_shop(token)));
    assert!(!learnt("callback", token, &with_shop(token)));
}
