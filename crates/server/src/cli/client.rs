//! `grantkeep client`: how a backend calls this server.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::{Failure, Shell, client_key, operator_event, output};
use crate::ids::{ClientId, KeyId, ProjectId};
use crate::projects::{self, Rights};
use crate::reach::Reach;
use crate::scope::{Scope, Scopes};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Make an API client (id and secret), or with `--api-key` a key in the older style.
    #[command(after_help = "Examples:\n  grantkeep client create backend --project proj_...\n  \
        grantkeep client create worker --project proj_... --credentials --proxy\n  \
        grantkeep client create reader --project proj_... --proxy-allow 'GET api.github.com/*'\n  \
        grantkeep client create signer --project proj_... --public-key signer.pub.pem\n  \
        grantkeep client create old-code --project proj_... --api-key")]
    Create {
        /// Its name, for you.
        name: String,
        /// The only project that it reaches. Without it, a client reaches all.
        #[arg(long, value_name = "ID")]
        project: Option<String>,
        /// Make one key that is sent as it is, instead of an id and a secret for OAuth.
        #[arg(long, requires = "project", conflicts_with = "public_key")]
        api_key: bool,
        /// Make a client that proves itself by signing with the private half of this key (PEM or
        /// JWK; P-256 for ES256, or RSA of 2048 bits and more for RS256). It has no secret.
        #[arg(long, value_name = "FILE")]
        public_key: Option<PathBuf>,
        /// What the client's assertions say as `kid` [default: that of the JWK, or the key's
        /// thumbprint].
        #[arg(long, value_name = "NAME", requires = "public_key")]
        key_id: Option<String>,
        /// Let it read its users' credentials (scope `credentials:read`).
        #[arg(long)]
        credentials: bool,
        /// Let it send requests through the proxy (scope `proxy:use`).
        #[arg(long)]
        proxy: bool,
        /// Let it make only these calls through the proxy: methods or `*`, then host and path, with
        /// a star at the path's end for what follows. Repeat for more. Implies `--proxy`.
        #[arg(long, value_name = "RULE")]
        proxy_allow: Vec<String>,
        /// What it may do, space-separated. `credentials:freeze`, the switch for emergencies, is in
        /// no star.
        #[arg(long, default_value = "*", value_name = "SCOPES")]
        scope: String,
    },
    /// List clients and keys, how each proves itself, and which of them were seen in a URL
    /// (`exposed`). Secrets are not kept and cannot be shown.
    List,
    /// Give a client one more public key, so that it can prove itself by that too.
    #[command(after_help = "A key takes another's place in three steps:\n  \
        grantkeep client add-key gkc_... --public-key new.pub.pem\n  \
        ... let the client sign with the new key ...\n  \
        grantkeep client remove-key gkc_... KEY-ID")]
    AddKey {
        /// The client (`gkc_...`).
        id: String,
        /// The public key (PEM or JWK). `-` reads it from the input.
        #[arg(long, value_name = "FILE")]
        public_key: PathBuf,
        /// What the client's assertions say as `kid` [default: that of the JWK, or the key's
        /// thumbprint].
        #[arg(long, value_name = "NAME")]
        key_id: Option<String>,
    },
    /// Take a public key from a client.
    RemoveKey {
        /// The client (`gkc_...`).
        id: String,
        /// The key, as `client list` shows it.
        key: String,
    },
    /// Revoke a client (`gkc_...`) or a key (`gkk_...`). It takes effect within a second.
    Revoke { id: String },
}

pub(super) async fn run(shell: &Shell, command: Command) -> Result<(), Failure> {
    let app = shell.open().await?;
    match command {
        Command::Create {
            name,
            project,
            api_key,
            public_key,
            key_id,
            credentials,
            proxy,
            proxy_allow,
            scope,
        } => {
            let scopes = scopes(&scope, credentials, proxy || !proxy_allow.is_empty())?;
            let rights = Rights { scopes, reach: reach(&proxy_allow)? };
            let project = project.map(|id| parse_project(&id)).transpose()?;
            if let Some(file) = public_key {
                let key = client_key::read(&file, key_id.as_deref())?;
                let of = (name.as_str(), project.as_ref());
                client_key::create(shell, &app, of, rights, &key).await?;
            } else {
                create(shell, &app, &name, project.as_ref(), (api_key, rights)).await?;
            }
        }
        Command::AddKey { id, public_key, key_id } => {
            let key = client_key::read(&public_key, key_id.as_deref())?;
            client_key::add(shell, &app, &id, &key).await?;
        }
        Command::RemoveKey { id, key } => client_key::remove(shell, &app, &id, &key).await?,
        Command::List => list(shell, &app).await?,
        Command::Revoke { id } => revoke(shell, &app, &id).await?,
    }
    app.close().await;
    Ok(())
}

pub(super) fn parse_project(id: &str) -> Result<ProjectId, Failure> {
    ProjectId::parse(id)
        .ok_or_else(|| Failure::Usage(format!("`{id}` is not a project id (proj_...).")))
}

fn scopes(text: &str, credentials: bool, proxy: bool) -> Result<Scopes, Failure> {
    let mut text = text.to_owned();
    for (wanted, scope) in [(credentials, Scope::CredentialsRead), (proxy, Scope::ProxyUse)] {
        if wanted {
            text.push(' ');
            text.push_str(scope.as_str());
        }
    }
    Scopes::parse(&text).filter(|scopes| !scopes.is_empty()).ok_or_else(|| {
        let all: Vec<_> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
        Failure::Usage(format!("`{text}` holds an unknown scope. There are: {}", all.join(", ")))
    })
}

fn reach(rules: &[String]) -> Result<Option<Reach>, Failure> {
    let read = Reach::parse(rules.iter().map(String::as_str)).map_err(Failure::Usage)?;
    Ok(Some(read).filter(|_| !rules.is_empty()))
}

async fn create(
    shell: &Shell,
    app: &std::sync::Arc<crate::app::App>,
    name: &str,
    project: Option<&ProjectId>,
    (api_key, rights): (bool, Rights),
) -> Result<(), Failure> {
    let scopes = rights.scopes.clone();
    let (id, kind, secret) = if let (true, Some(project)) = (api_key, project) {
        let (key, secret) = projects::create_key(app, project, name, rights).await?;
        (key.id.to_string(), "key", secret)
    } else {
        let made = projects::create_client(app, project, name, rights).await?;
        (made.client.id.to_string(), "client", made.secret)
    };
    let mut event = operator_event("client.create").target(kind, id.as_str());
    if let Some(project) = project {
        event = event.project(project);
    }
    app.audit.record(event).await?;
    let secret = secret.expose();
    match (shell.json, api_key) {
        (true, true) => {
            output::json(
                &json!({ "id": id, "name": name, "project_id": project, "api_key": secret,
            "scope": scopes.to_string() }),
            );
        }
        (true, false) => {
            output::json(&json!({ "client_id": id, "name": name, "project_id": project,
            "client_secret": secret, "scope": scopes.to_string() }));
        }
        (false, true) => {
            output::line(&format!("id       {id}\napi key  {secret}"));
            output::note("Keep the key now: it is not stored and cannot be shown again.");
        }
        (false, false) => {
            output::line(&format!("client id      {id}\nclient secret  {secret}"));
            output::note("Keep the secret now: it is not stored and cannot be shown again.");
        }
    }
    Ok(())
}

async fn list(shell: &Shell, app: &std::sync::Arc<crate::app::App>) -> Result<(), Failure> {
    let mut views = Vec::new();
    for it in projects::list_clients(app).await? {
        views.push(
            json!({ "id": it.id, "kind": "client", "name": it.name, "project_id": it.project,
            "scope": it.scopes.to_string(), "has_secret": it.has_secret,
            "keys": it.keys.iter().map(client_key::view).collect::<Vec<_>>(),
            "proxy_rules": it.reach.as_ref().map(Reach::lines), "created_at_ms": it.created_at_ms,
            "last_used_at_ms": it.last_used_at_ms, "revoked_at_ms": it.revoked_at_ms,
            "exposed_at_ms": it.exposed_at_ms }),
        );
    }
    for project in projects::list(&app.db).await? {
        for it in projects::list_keys(app, &project.id).await? {
            views.push(
                json!({ "id": it.id, "kind": "key", "name": it.name, "project_id": it.project,
                "scope": it.scopes.to_string(),
                "proxy_rules": it.reach.as_ref().map(Reach::lines),
                "created_at_ms": it.created_at_ms,
                "last_used_at_ms": it.last_used_at_ms, "revoked_at_ms": it.revoked_at_ms,
                "exposed_at_ms": it.exposed_at_ms }),
            );
        }
    }
    if shell.json {
        output::json(&Value::Array(views));
        return Ok(());
    }
    if views.is_empty() {
        output::line("No clients yet. Make one with `grantkeep client create NAME`.");
        return Ok(());
    }
    let header = ["ID", "KIND", "NAME", "PROJECT", "SCOPE", "PROOF", "STATE", "LAST USED"];
    output::table(&header, views.iter().map(row).collect());
    if views.iter().any(|it| it["exposed_at_ms"].is_i64() && it["revoked_at_ms"].is_null()) {
        output::note(
            "Exposed: it was sent in a URL, where logs keep it. Make another, then revoke it.",
        );
    }
    Ok(())
}

fn row(it: &Value) -> Vec<String> {
    let text = |value: &Value, or: &str| value.as_str().unwrap_or(or).to_owned();
    let state = match (it["revoked_at_ms"].as_i64(), it["exposed_at_ms"].as_i64()) {
        (Some(_), _) => output::paint("revoked", 31),
        (None, Some(_)) => output::paint("exposed", 33),
        (None, None) => output::paint("active", 32),
    };
    let secret = it["has_secret"].as_bool().unwrap_or(true).then(|| "secret".to_owned());
    let keys = it["keys"].as_array().into_iter().flatten().map(|it| text(&it["id"], ""));
    vec![
        text(&it["id"], ""),
        text(&it["kind"], ""),
        text(&it["name"], ""),
        text(&it["project_id"], "all"),
        text(&it["scope"], ""),
        secret.into_iter().chain(keys).collect::<Vec<_>>().join("\n"),
        state,
        output::time(it["last_used_at_ms"].as_i64()),
    ]
}

async fn revoke(
    shell: &Shell,
    app: &std::sync::Arc<crate::app::App>,
    id: &str,
) -> Result<(), Failure> {
    let missing =
        || Failure::Missing(format!("There is no client or key {id} that could be revoked."));
    if let Some(client) = ClientId::parse(id) {
        projects::revoke_client(app, &client).await.map_err(|_| missing())?;
    } else if let Some(key) = KeyId::parse(id) {
        let mut done = false;
        for project in projects::list(&app.db).await? {
            done |= projects::revoke_key(app, &project.id, &key).await.is_ok();
        }
        if !done {
            return Err(missing());
        }
    } else {
        return Err(Failure::Usage(format!(
            "`{id}` is neither a client (gkc_...) nor a key (gkk_...)."
        )));
    }
    app.audit.record(operator_event("client.revoke").target("client", id)).await?;
    if shell.json {
        output::json(&json!({ "id": id, "revoked": true }));
    } else {
        output::line(&format!("Revoked {id}."));
    }
    Ok(())
}
