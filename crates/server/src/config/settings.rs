//! The records. A setting is added here and nowhere else.

use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use url::Url;

use super::ConfigError;
use super::secret::Secret;
use super::sources::Texts;
use super::value::{AuditPolicy, CodeSandbox, LogFormat, Millis, MissingEnvironment, Route, Value};

/// One setting, as the reference, the parser and `doctor` know it.
pub struct Setting {
    /// Heading under which the reference lists it.
    pub section: &'static str,
    /// Name in the file. The variable is `GRANTKEEP_` and this in capitals.
    pub key: &'static str,
    /// What is expected, with its unit.
    pub kind: &'static str,
    /// What holds if nobody sets it, as it would be written in the file.
    pub default: &'static str,
    /// Least and greatest number taken.
    pub bounds: Option<(u64, u64)>,
    /// Never shown; may also come from a file named by `<key>_file`.
    pub secret: bool,
    help: &'static [&'static str],
}

impl Setting {
    /// What it does, in one paragraph.
    pub fn help(&self) -> String {
        self.help.iter().map(|it| it.trim()).collect::<Vec<_>>().join(" ")
    }
}

/// The record of `key`.
pub fn find(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|it| it.key == key)
}

/// The text of `key` as a value within its bounds.
fn read<T: Value>(key: &'static str, texts: &Texts) -> Result<T, ConfigError> {
    let setting = find(key).ok_or_else(|| ConfigError(format!("{key} has no record")))?;
    let text = texts.get(setting);
    let refuse = |why: String| ConfigError(format!("{}: {why}", texts.name(setting)));
    let value = T::parse(text.trim()).ok_or_else(|| {
        let shown = if setting.secret { "***" } else { text };
        refuse(format!("{shown:?} is not {}", setting.kind))
    })?;
    match (setting.bounds, value.number()) {
        (Some((least, most)), Some(number)) if number < least || number > most => {
            Err(refuse(format!("{number} is not between {least} and {most} ({})", setting.kind)))
        }
        _ => Ok(value),
    }
}

macro_rules! bounds {
    () => {
        None
    };
    ($least:literal, $most:literal) => {
        Some(($least, $most))
    };
}

macro_rules! settings {
    ($( $section:literal { $(
        $(#[doc = $help:literal])+
        $key:ident: $type:ty = $default:literal $(, $least:literal..=$most:literal)?;
    )+ } )+) => {
        /// The settings in force. One field per record, of the same name.
        #[derive(Clone)]
        pub struct Config { $($( $(#[doc = $help])+ pub $key: $type, )+)+ }

        /// Every setting, in the order of the reference.
        pub const SETTINGS: &[Setting] = &[ $($( Setting {
            section: $section,
            key: stringify!($key),
            kind: <$type as Value>::KIND,
            default: $default,
            bounds: bounds!($($least, $most)?),
            secret: <$type as Value>::SECRET,
            help: &[$($help),+],
        }, )+)+ ];

        impl Config {
            /// Reads every setting from its text.
            pub(super) fn read(texts: &Texts) -> Result<Self, ConfigError> {
                Ok(Self { $($( $key: read(stringify!($key), texts)?, )+)+ })
            }
        }
    };
}

settings! {
    "Where it listens" {
        /// Address and port for the API and the connect page.
        listen: SocketAddr = "127.0.0.1:8080";
        /// The URL under which browsers and providers reach this server. It must be https, except
        /// on loopback, and should have no path: the connect page needs the whole host. Needed as
        /// soon as `listen` is not a loopback address; otherwise `http://` and `listen`.
        public_url: Url = "";
        /// Further origins (https) that lead here and that projects may take for the redirect URIs
        /// of their OAuth clients. On these the callback alone is served; it sends the browser on
        /// to `public_url`.
        callback_origins: Vec<Url> = "";
        /// Certificate chain (PEM). With `tls_key_file` it turns native TLS on; without both, plain
        /// http is served and a proxy in front does TLS. Read again when it changes and on SIGHUP.
        tls_cert_file: Option<PathBuf> = "";
        /// Private key (PEM) of the certificate.
        tls_key_file: Option<PathBuf> = "";
        /// Proxies in front of this server. Only from these addresses is `X-Forwarded-For`
        /// believed.
        trusted_proxies: Vec<IpNet> = "";
        /// Address and port for Prometheus metrics (`/metrics`), apart from the API. Empty: off.
        metrics_listen: Option<SocketAddr> = "";
    }
    "Data and keys" {
        /// Folder for the SQLite database, the audit spool, and the journal of refreshes. With
        /// PostgreSQL too it must be on a disk that outlives the process.
        data_dir: PathBuf = "./data";
        /// `postgres://user:password@host/database`. Empty: SQLite, in `grantkeep.db` in
        /// `data_dir`. To a host that is not local, the server's certificate is checked unless
        /// `sslmode` says otherwise.
        database_url: Option<Secret> = "";
        /// The key over all keys. Make one with `openssl rand -base64 32`, keep a copy in a safe
        /// place: without it nothing stored can be read.
        root_key: Option<Secret> = "";
        /// Further root keys, which only read: earlier ones, until `grantkeep keys rewrap` has
        /// wrapped by the current one what they wrapped; and the next one, while it is brought to
        /// every process.
        older_root_keys: Vec<Secret> = "";
        /// Most open database connections.
        db_connections_max: u32 = "10", 1..=1000;
        /// How long a request waits for a free connection.
        db_acquire_timeout_ms: Millis = "5000", 10..=120_000;
        /// How long SQLite waits for another writer.
        db_busy_timeout_ms: Millis = "5000", 0..=120_000;
        /// How long PostgreSQL may work on one statement.
        db_statement_timeout_ms: Millis = "30000", 100..=600_000;
        /// Development profile: `serve` makes a root key file itself if none is set, and
        /// `egress_allow_loopback` may be used. Not for real data.
        dev: bool = "false";
    }
    "Limits on requests" {
        /// How long a client may take to send the head of a request.
        header_timeout_ms: Millis = "10000", 100..=120_000;
        /// How long a connection may stay open with nothing asked.
        idle_timeout_ms: Millis = "75000", 100..=3_600_000;
        /// How long a request may take from its first byte to the head of its answer. One that has
        /// code run may take `code_wall_ms` longer; one that calls an app has
        /// `proxy_total_timeout_ms` where that is more.
        request_timeout_ms: Millis = "60000", 100..=600_000;
        /// How many wrong credentials one address (of IPv6 its /64) may send in a minute. Beyond
        /// that they are answered with 429; a right one is always let in.
        failed_auth_per_minute_max: u32 = "100", 1..=1_000_000;
        /// Largest body of a request.
        body_bytes_max: usize = "1 MiB", 1024..=1_073_741_824;
        /// Largest head of a request: all header fields together.
        header_bytes_max: usize = "16 KiB", 8192..=262_144;
        /// Most header fields of a request.
        header_count_max: u32 = "100", 10..=1000;
        /// Longest path and query of a request.
        uri_bytes_max: usize = "8 KiB", 256..=65_534;
        /// Most requests at once on one HTTP/2 connection.
        h2_streams_max: u32 = "100", 1..=1000;
        /// Most open connections. More wait to be accepted.
        connections_max: u32 = "10000", 1..=1_000_000;
        /// How long requests may still run after SIGTERM before the process ends all the same.
        drain_timeout_ms: Millis = "25000", 0..=600_000;
    }
    "Outbound requests" {
        /// Networks that outbound requests may reach although they are private, such as an identity
        /// provider in your own network. All other private and special addresses are refused.
        egress_allow: Vec<IpNet> = "";
        /// Allows loopback addresses and plain http to them. Only with `dev`.
        egress_allow_loopback: bool = "false";
        /// Hosts whose requests go to a URL on this machine instead, so that the apps built in can
        /// be tried out against a pretend provider: `slack.com=http://127.0.0.1:9000/slack` sends
        /// what is meant for `https://slack.com/api/x` to that URL with `/api/x` added. Only with
        /// `dev` and `egress_allow_loopback`.
        egress_dev_routes: Vec<Route> = "";
        /// Allows plain http to addresses within `egress_allow`.
        egress_allow_http: bool = "false";
        /// Certificates (PEM) of further authorities to trust, such as your own network's.
        egress_ca_file: Option<PathBuf> = "";
        /// How long connecting may take, name look-up and TLS included.
        egress_connect_timeout_ms: Millis = "5000", 50..=60_000;
        /// How long a provider may take until its answer begins.
        egress_first_byte_timeout_ms: Millis = "20000", 50..=300_000;
        /// How long a provider's whole answer may take.
        egress_total_timeout_ms: Millis = "30000", 50..=300_000;
        /// Largest answer of a provider to us, such as a token answer.
        egress_answer_bytes_max: usize = "1 MiB", 1024..=67_108_864;
        /// How long an unused connection to a provider is kept.
        egress_pool_idle_timeout_ms: Millis = "60000", 0..=600_000;
    }
    "The proxy" {
        /// Largest body of a request to an app. It is passed on as it comes.
        proxy_request_bytes_max: usize = "32 MiB", 1024..=1_099_511_627_776;
        /// Largest body of an app's answer. It is passed on as it comes, and cut off beyond this.
        proxy_answer_bytes_max: usize = "64 MiB", 1024..=1_099_511_627_776;
        /// How long an app may take until its answer begins, once it has the whole request.
        proxy_first_byte_timeout_ms: Millis = "30000", 50..=300_000;
        /// How long a body may stand still, either way.
        proxy_idle_timeout_ms: Millis = "15000", 50..=300_000;
        /// How long a call may take in all. Answers that are streams of events
        /// (`text/event-stream`) have `proxy_events_timeout_ms`.
        proxy_total_timeout_ms: Millis = "60000", 50..=3_600_000;
        /// How long a stream of events may last. Between two events it may be silent for a minute.
        proxy_events_timeout_ms: Millis = "600000", 50..=86_400_000;
        /// Most calls at once with one account.
        proxy_per_account_max: u32 = "16", 1..=10_000;
    }
    "Rate limits" {
        /// Whether the limits of this section hold; each of them can be turned off by 0 as well.
        /// Every process counts by itself, so of several each takes as many. Limits that customers
        /// set themselves hold in any case.
        rate_limits: bool = "true";
        /// Most connect tokens that are made for one external user in a minute.
        connect_tokens_per_user_per_minute_max: u32 = "100", 0..=100_000_000;
        /// Most requests that read or delete accounts of one project in five minutes. Reading
        /// credentials is among them.
        accounts_per_project_per_5_minutes_max: u32 = "2000", 0..=100_000_000;
        /// Most requests that read components, actions or triggers for one project in five minutes.
        components_get_per_project_per_5_minutes_max: u32 = "3000", 0..=100_000_000;
        /// Most actions run, triggers deployed and props asked for by one project in five minutes.
        components_post_per_project_per_5_minutes_max: u32 = "2000", 0..=100_000_000;
        /// Most calls of one project through the proxy in five minutes.
        proxy_per_project_per_5_minutes_max: u32 = "1000", 0..=100_000_000;
    }
    "Files" {
        /// Largest file in a stash. It is stored as it comes.
        stash_file_bytes_max: usize = "25 MiB", 1024..=1_073_741_824;
        /// Most that all files of a project's stashes may have together.
        stash_project_bytes_max: usize = "1 GiB", 1024..=1_099_511_627_776;
    }
    "Components" {
        /// Node.js of version 20 or newer, which runs the code of components. Without it, the
        /// `node` that is found on the `PATH`.
        code_node: Option<PathBuf> = "";
        /// What holds the processes that run code: `bubblewrap`, `landlock`, or the `best` that
        /// works on this machine. `none` runs code with all that this user may do; only for
        /// machines on which all code is trusted.
        code_sandbox: CodeSandbox = "best";
        /// Most processes that run code or are kept for the next run of the same.
        code_workers_max: u32 = "16", 1..=1000;
        /// How many wait with Node.js started, so that a first run is quick.
        code_warm: u32 = "2", 0..=100;
        /// How long a process is kept for the next run of the same.
        code_idle_ms: Millis = "60000", 0..=3_600_000;
        /// How long a run may take.
        code_wall_ms: Millis = "60000", 100..=3_600_000;
        /// How much processor time a run may use.
        code_cpu_ms: Millis = "30000", 100..=3_600_000;
        /// How much JavaScript may hold, in MiB.
        code_heap_mib: u32 = "256", 64..=16_384;
        /// How much memory a run's processes may have together, in MiB. Node.js has about 60.
        code_memory_mib: u32 = "768", 128..=65_536;
        /// Most that a run may say: its log, what it exports and returns.
        code_output_bytes_max: usize = "6 MiB", 1024..=67_108_864;
        /// Workflows are also called at hosts below this one, such as `eo1a2b.flows.example.com`
        /// below `flows.example.com`. Its names, and certificates for them, are the operator's
        /// matter.
        workflow_domain: Option<String> = "";
        /// Most runs of one project at once in this process. More are answered with 429.
        code_runs_per_project_max: u32 = "32", 1..=10_000;
    }
    "Accounts and tokens" {
        /// Folder with further app files (`*.toml`), beside those built in.
        catalog_dir: Option<PathBuf> = "";
        /// A packed catalogue that is newer than the one built in, made by `grantkeep catalog
        /// pack`. Its apps take the place of those built in; files in `catalog_dir` come before
        /// both.
        catalog_file: Option<PathBuf> = "";
        /// Whose signature a catalogue file must have: Ed25519 public keys in base64, parted by
        /// commas. `grantkeep catalog pack` prints the one that belongs to its key.
        catalog_public_keys: Vec<String> = "";
        /// What a request means that does not name its environment.
        missing_environment: MissingEnvironment = "refuse";
        /// How long a connect token lives if its maker does not say, in seconds.
        connect_token_life_seconds: u32 = "14400", 1..=14_400;
        /// Whether tokens are refreshed ahead of their end. Reading one that has ended refreshes it
        /// in any case.
        refresh_scheduler: bool = "true";
        /// Part of a token's life, in percent, that is left when it is refreshed ahead.
        refresh_margin_percent: u32 = "20", 1..=90;
        /// A token with less than this left is refreshed before it is handed out.
        refresh_margin_min_ms: Millis = "60000", 1000..=3_600_000;
        /// How often the scheduler looks for tokens that end soon.
        refresh_interval_ms: Millis = "15000", 100..=3_600_000;
        /// Most refreshes at once per provider.
        refresh_per_provider_max: u32 = "4", 1..=256;
        /// Most refreshes per second and provider that the scheduler begins. What callers need is
        /// refreshed at once.
        refresh_per_provider_per_second: u32 = "50", 1..=10_000;
    }
    "Audit" {
        /// What happens to a credential read while the store takes no audit events: `strict`
        /// refuses the read, `spool` keeps the event in a file in `data_dir` and stores it later.
        audit_policy: AuditPolicy = "strict";
        /// Largest spool. Once it is full, reads are refused as with `strict`.
        audit_spool_bytes_max: usize = "64 MiB", 4096..=17_179_869_184;
    }
    "Logs, metrics and traces" {
        /// How log lines look: `json` for machines, `text` for people.
        log_format: LogFormat = "json";
        /// Which log lines are written, such as `info` or `info,grantkeep=debug`.
        log_filter: String = "info";
        /// Base URL of an OpenTelemetry collector that takes OTLP over HTTP (protobuf), such as
        /// `http://127.0.0.1:4318`. `/v1/traces` is added. Empty: no traces are sent.
        otlp_endpoint: Option<Url> = "";
        /// The name of this service in traces.
        otlp_service_name: String = "grantkeep";
        /// Part of the traces that are kept, in percent, where the caller has not decided.
        otlp_sample_percent: u32 = "100", 0..=100;
    }
}
