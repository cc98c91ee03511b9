use std::collections::BTreeMap;

use super::sources::{self, Loaded};
use super::*;

fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn load(text: &str, environment: &BTreeMap<String, String>) -> Result<Loaded, ConfigError> {
    sources::load((FILE, text), environment)
}

fn refusal(pairs: &[(&str, &str)]) -> String {
    match Config::from_pairs(pairs) {
        Ok(_) => panic!("{pairs:?} should be refused"),
        Err(error) => error.to_string(),
    }
}

fn file_refusal(text: &str) -> String {
    load(text, &env(&[])).err().expect("the file should be refused").to_string()
}

#[test]
fn defaults_stand_alone() {
    let config = Config::from_pairs(&[]).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.public_base(), "http://127.0.0.1:8080");
    assert_eq!(config.public_origin(), "http://127.0.0.1:8080");
    assert_eq!(config.header_bytes_max, 16 * 1024);
    assert_eq!(config.missing_environment, MissingEnvironment::Refuse);
    assert_eq!(config.refresh_margin_min_ms.ms(), 60_000);
    assert!(matches!(config.database(), Database::Sqlite(path) if path.ends_with("grantkeep.db")));
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_default() {
    let file = "listen = \"127.0.0.1:9000\"\nbody_bytes_max = \"2 MiB\"\ndev = true\n\
                egress_allow = [\"10.1.0.0/16\", \"192.168.7.9\"]\ndb_connections_max = 3\n";
    let loaded = load(file, &env(&[("GRANTKEEP_LISTEN", "127.0.0.1:9001")])).unwrap();
    assert_eq!(loaded.config.listen.port(), 9001);
    assert_eq!(loaded.config.body_bytes_max, 2 << 20);
    assert_eq!(loaded.config.db_connections_max, 3);
    assert!(loaded.config.dev);
    let networks: Vec<_> = loaded.config.egress_allow.iter().map(ToString::to_string).collect();
    assert_eq!(networks, ["10.1.0.0/16", "192.168.7.9/32"]);
    assert_eq!(loaded.origins["listen"], Origin::Environment);
    assert_eq!(loaded.origins["dev"], Origin::File);
    assert_eq!(loaded.origins["public_url"], Origin::Derived);
    assert_eq!(loaded.origins["data_dir"], Origin::Default);
}

#[test]
fn an_unknown_name_in_the_file_is_refused_with_the_nearest_known_one() {
    let line = file_refusal("lisen = \"127.0.0.1:1\"");
    assert!(line.contains("was listen meant?"), "{line}");
    let line = file_refusal("root_key_fil = \"x\"");
    assert!(line.contains("was root_key_file meant?"), "{line}");
    let line = file_refusal("[server]\nlisten = \"127.0.0.1:1\"");
    assert!(line.contains("\"server\""), "{line}");
}

#[test]
fn an_unknown_variable_is_only_a_warning_because_clusters_set_their_own() {
    let variables = [("GRANTKEEP_LISTN", "127.0.0.1:1"), ("GRANTKEEP_PORT_8080_TCP_PROTO", "tcp")];
    let loaded = load("", &env(&variables)).unwrap();
    assert_eq!(loaded.warnings.len(), 1, "{:?}", loaded.warnings);
    assert!(loaded.warnings[0].contains("GRANTKEEP_LISTEN"), "{:?}", loaded.warnings);
}

const DEV: [(&str, &str); 2] = [("dev", "true"), ("egress_allow_loopback", "true")];

#[test]
fn what_cannot_work_is_refused_in_one_line_that_says_how_to_mend_it() {
    let cases: [(&[(&str, &str)], &str); 16] = [
        (&[("public_url", "http://connect.example.com")], "must be https"),
        (&[("public_url", "ftp://connect.example.com")], "must begin with https://"),
        (&[("public_url", "https://u@connect.example.com")], "must have no user"),
        (&[("listen", "0.0.0.0:8080")], "GRANTKEEP_PUBLIC_URL=https://"),
        (&[("tls_cert_file", "a.pem")], "must be set together"),
        (&[("egress_allow_loopback", "true")], "needs dev"),
        (&[("dev", "true"), ("egress_dev_routes", "a.com=http://127.0.0.1:9")], "needs dev and"),
        (&[DEV[0], DEV[1], ("egress_dev_routes", "a.com=http://b.com")], "on this machine"),
        (&[("database_url", "mysql://root@db/x")], "postgres://user:password@host/database"),
        (&[("header_timeout_ms", "5")], "not between 100 and 120000"),
        (&[("dev", "maybe")], "is not true or false"),
        (&[("metrics_listen", "127.0.0.1:8080")], "must differ"),
        (&[("log_filter", "a=b=c")], "log_filter"),
        (&[("workflow_domain", "https://x y")], "such as flows.example.com"),
        (&[("workflow_domain", ".example.com")], "such as flows.example.com"),
        (&[("otlp_endpoint", "grpc://127.0.0.1:4317")], "otlp_endpoint"),
    ];
    for (pairs, expected) in cases {
        let line = refusal(pairs);
        assert!(line.contains(expected), "{pairs:?}: {line}");
        assert!(!line.contains('\n'), "{line}");
    }
    assert!(Config::from_pairs(&[("public_url", "http://localhost:8080")]).is_ok());
    assert!(Config::from_pairs(&[("public_url", "http://[::1]:8080")]).is_ok());
    assert!(Config::from_pairs(&[("public_url", "https://connect.example.com/base/")]).is_ok());
    assert!(Config::from_pairs(&[("workflow_domain", "flows.example.com")]).is_ok());
}

#[test]
fn without_a_root_key_the_line_says_how_to_make_one() {
    let config = Config::from_pairs(&[]).unwrap();
    let line = config.required_root_key().err().expect("no key").to_string();
    assert!(line.contains("openssl rand -base64 32") && line.contains("GRANTKEEP_ROOT_KEY_FILE"));
}

#[test]
fn no_secret_is_in_an_error() {
    for line in [
        refusal(&[("database_url", "mysql://root:canary-7f@db/x")]),
        file_refusal("root_key = \"canary-7f\" x"),
        file_refusal("database_url = \"canary-7f\""),
        file_refusal("root_key = \"canary-7f\"\nroot_key_file = \"/canary\""),
    ] {
        assert!(!line.contains("canary-7f"), "{line}");
    }
}

#[cfg(unix)]
#[test]
fn a_secret_comes_from_a_file_that_not_everyone_may_read() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("root.key");
    std::fs::write(&path, "the key\r\n").unwrap();
    let name = path.to_str().unwrap();
    let with_mode = |mode| {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        load("root_key = \"other\"", &env(&[("GRANTKEEP_ROOT_KEY_FILE", name)]))
    };
    let loaded = with_mode(0o600).unwrap();
    assert_eq!(loaded.config.required_root_key().unwrap().expose(), "the key");
    assert_eq!(loaded.origins["root_key"], Origin::SecretFile(path.clone()));
    let line = with_mode(0o644).err().expect("row 118: world-readable").to_string();
    assert!(line.contains("chmod 600"), "{line}");
    std::fs::write(&path, "\n").unwrap();
    let line = with_mode(0o600).err().expect("empty").to_string();
    assert!(line.contains("it is empty"), "{line}");
    let line = refusal(&[("root_key_file", "/nowhere/root.key")]);
    assert!(line.contains("/nowhere/root.key"), "{line}");
}

#[cfg(unix)]
#[test]
fn a_file_with_a_secret_in_it_is_not_for_everyone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE);
    let read = |text: &str, mode| {
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        sources::check_reach((FILE, text), &path).map_err(|it| it.to_string())
    };
    for secret in [
        "root_key = \"canary-7f\"",
        "older_root_keys = [\"canary-7f\"]",
        "database_url = \"postgres://u:canary-7f@db/x\"",
        "database_url = \"postgres://db/x?user=u&password=canary-7f\"",
    ] {
        assert!(read(secret, 0o640).is_ok(), "{secret}");
        let line = read(secret, 0o644).expect_err(secret);
        assert!(line.contains("chmod 600") && line.contains("_file"), "{line}");
        assert!(!line.contains("canary-7f"), "{line}");
    }
    for harmless in [
        "listen = \"127.0.0.1:1\"",
        "root_key_file = \"/x\"",
        "database_url = \"postgres://u@localhost/x\"",
    ] {
        assert!(read(harmless, 0o644).is_ok(), "{harmless}");
    }
}

#[test]
fn v11_a_database_elsewhere_must_prove_who_it_is() {
    let url = |text: &str| {
        let config = Config::from_pairs(&[("database_url", text)]).unwrap();
        match config.database() {
            Database::Postgres(url) => url.to_string(),
            Database::Sqlite(_) => panic!("{text} is PostgreSQL"),
        }
    };
    assert!(url("postgres://u:p@db.example.com/x").ends_with("?sslmode=verify-full"));
    assert!(url("postgres://u:p@10.0.0.5/x").ends_with("?sslmode=verify-full"));
    assert!(url("postgres://u:p@127.0.0.1/x").ends_with("?sslmode=prefer"));
    assert!(url("postgres://u:p@localhost/x").ends_with("?sslmode=prefer"));
    assert!(url("postgres://u@%2Frun%2Fpostgresql/x").ends_with("?sslmode=prefer"));
    assert!(url("postgres:///x?host=/run/postgresql").ends_with("&sslmode=prefer"));
    let weak = "postgres://u:p@db.example.com/x?sslmode=require";
    assert_eq!(url(weak), weak);
    let loaded = load("", &env(&[("GRANTKEEP_DATABASE_URL", weak)])).unwrap();
    assert!(loaded.warnings[0].contains("sslmode=require"), "{:?}", loaded.warnings);
}

#[test]
fn every_record_can_be_read_back_from_the_reference() {
    let page = markdown();
    for setting in SETTINGS {
        assert!(page.contains(&format!("### `{}`\n", setting.key)), "{}", setting.key);
        assert!(page.contains(&format!("`{}`", env_name(setting.key))), "{}", setting.key);
        assert!(setting.help().ends_with('.'), "{}: help is a sentence", setting.key);
        assert!(setting.key.len() > 2 && setting.key == setting.key.to_ascii_lowercase());
    }
}

#[test]
fn the_reference_in_the_docs_is_what_the_records_say() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
    let page = std::fs::read_to_string(path).unwrap_or_default();
    let mend = "run `cargo run -- config reference > docs/configuration.md`";
    assert!(page == markdown(), "docs/configuration.md is not what the records say: {mend}");
}
