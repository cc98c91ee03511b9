//! Public keys of API clients, for those that prove themselves without a secret.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use grantkeep_oauth::key::{KEY_BYTES_MAX, PublicKey};
use serde_json::{Value, json};

use super::{Failure, Shell, operator_event, output};
use crate::app::App;
use crate::ids::{ClientId, ProjectId};
use crate::projects::{self, ClientKey, Rights};

/// Reads a public key from a file, or with `-` from the input.
pub(super) fn read(file: &Path, name: Option<&str>) -> Result<PublicKey, Failure> {
    let unread =
        |why: std::io::Error| Failure::Usage(format!("{} cannot be read: {why}.", file.display()));
    let from: Box<dyn Read> = if file.as_os_str() == "-" {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(file).map_err(unread)?)
    };
    let mut text = String::new();
    from.take(KEY_BYTES_MAX as u64 + 1).read_to_string(&mut text).map_err(unread)?;
    let read = projects::read_public_key(&text, name);
    read.map_err(|why| Failure::Usage(why.text().to_owned()))
}

/// A key as `client list` shows it.
pub(super) fn view(key: &ClientKey) -> Value {
    json!({ "id": key.id, "algorithm": key.algorithm, "created_at_ms": key.created_at_ms })
}

/// Makes a client that has a key and no secret.
pub(super) async fn create(
    shell: &Shell,
    app: &Arc<App>,
    (name, project): (&str, Option<&ProjectId>),
    rights: Rights,
    key: &PublicKey,
) -> Result<(), Failure> {
    let made = projects::create_client_with_key(app, project, name, rights, key).await?;
    let mut event = operator_event("client.create").target("client", made.id.as_str());
    if let Some(project) = project {
        event = event.project(project);
    }
    app.audit.record(event.detail(json!({ "key": key.kid() }))).await?;
    if shell.json {
        output::json(&json!({ "client_id": made.id, "name": name, "project_id": project,
            "keys": made.keys.iter().map(view).collect::<Vec<_>>(),
            "scope": made.scopes.to_string() }));
    } else {
        output::line(&format!("client id  {}\nkey id     {}", made.id, key.kid()));
        output::note(&format!(
            "It proves itself by assertions that it signs with {}; there is no secret.",
            key.algorithm().as_str()
        ));
    }
    Ok(())
}

pub(super) async fn add(
    shell: &Shell,
    app: &Arc<App>,
    id: &str,
    key: &PublicKey,
) -> Result<(), Failure> {
    let client = parse(id)?;
    let added = projects::add_client_key(app, &client, key).await.map_err(|why| {
        match why.kind().status {
            404 => Failure::Missing(format!("There is no client {id} that could get a key.")),
            400 => Failure::Usage(why.text().to_owned()),
            _ => why.into(),
        }
    })?;
    let event = operator_event("client.key_add").target("client", id);
    app.audit.record(event.detail(json!({ "key": added.id }))).await?;
    if shell.json {
        output::json(&view(&added));
    } else {
        output::line(&format!("{id} may sign with the key {} now.", added.id));
    }
    Ok(())
}

pub(super) async fn remove(
    shell: &Shell,
    app: &Arc<App>,
    id: &str,
    key: &str,
) -> Result<(), Failure> {
    let client = parse(id)?;
    let missing = |_| Failure::Missing(format!("{id} has no key {key}."));
    projects::remove_client_key(app, &client, key).await.map_err(missing)?;
    let event = operator_event("client.key_remove").target("client", id);
    app.audit.record(event.detail(json!({ "key": key }))).await?;
    if shell.json {
        output::json(&json!({ "id": key, "removed": true }));
    } else {
        output::line(&format!(
            "Removed the key {key} of {id}. Access tokens that it was used for end by themselves, \
             within an hour."
        ));
    }
    Ok(())
}

fn parse(id: &str) -> Result<ClientId, Failure> {
    ClientId::parse(id)
        .ok_or_else(|| Failure::Usage(format!("`{id}` is not a client id (gkc_...).")))
}
