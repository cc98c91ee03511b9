//! `grantkeep components run`: an action on a connected account, from the command line.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use grantkeep_runtime::Failure as Failed;
use serde_json::{Map, Value, json};

use super::components::{explained, project, values};
use super::components_files::{Folder, read, walk};
use super::{Failure, Shell, operator, output};
use crate::accounts;
use crate::app::App;
use crate::callers::Origin;
use crate::components::{
    self, Asked, Component, Index, Indexed, Kind, Publication, Ran, Stashing, What, closure,
};
use crate::ids::ProjectId;
use crate::tenant::{Environment, Tenant};

/// Whom code is run for where nobody is named.
const USER: &str = "cli";

#[derive(clap::Args)]
pub(super) struct Args {
    /// The component's key, or with `--local` a file or folder.
    what: String,
    /// Take the code from this machine's disk, without publishing it.
    #[arg(long)]
    local: bool,
    #[arg(long, value_name = "ID")]
    project: String,
    #[arg(long, value_name = "NAME", default_value = "development",
        value_parser = ["development", "production"])]
    environment: String,
    /// Your own id of the user [default: whose the first account is, else `cli`].
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// An account for a field: `slack=apn_...`. Repeat for more.
    #[arg(long = "app", value_name = "FIELD=ACCOUNT")]
    accounts: Vec<String>,
    /// A value for a field: `text=hi`, or JSON. Repeat for more.
    #[arg(long = "prop", value_name = "FIELD=VALUE")]
    props: Vec<String>,
    #[arg(long)]
    version: Option<String>,
}

pub(super) async fn run(shell: &Shell, app: &Arc<App>, args: Args) -> Result<(), Failure> {
    let project = project(app, &args.project).await?;
    let environment = Environment::parse(&args.environment).unwrap_or(Environment::Development);
    let tenant = Tenant { project: project.clone(), environment };
    let mut configured = values(&args.props)?;
    let mut user = args.user.clone();
    for (name, account) in values(&args.accounts)? {
        let id = account.as_str().unwrap_or_default().to_owned();
        if user.is_none() {
            user = Some(accounts::find(app, &tenant, &id, None).await?.external_id);
        }
        configured.insert(name, json!({ "authProvisionId": id }));
    }
    let user = user.unwrap_or_else(|| {
        output::note(&format!(
            "For the user `{USER}`, who is made if there is none: no --user was named, and no \
             account."
        ));
        USER.to_owned()
    });
    let component = if args.local {
        load(app, &project, Path::new(&args.what)).await?
    } else {
        let which = (Kind::Actions, args.what.as_str(), args.version.as_deref());
        components::find(app, &project, which).await?
    };
    if component.what() == What::Source {
        return Err(Failure::Other(format!(
            "`{}` is the source of a trigger: it is published and deployed, and cannot be run.",
            component.key
        )));
    }
    fitting(&component, &configured)?;
    let caller = operator();
    let origin = Origin::default();
    let asked = Asked {
        tenant: &tenant,
        external_id: &user,
        caller: &caller,
        origin: &origin,
        kind: Kind::Actions,
        key: &args.what,
        version: args.version.as_deref(),
        configured,
        dynamic_props: None,
    };
    let ran = components::run_found(app, (asked, component), Stashing::None).await;
    show(shell, ran.map_err(explained)?)
}

/// Whoever types mistypes, so names that are no field are refused here.
fn fitting(component: &Component, configured: &Map<String, Value>) -> Result<(), Failure> {
    let props = &component.described.props;
    let more = component.described.additional_props;
    let odd = if more { None } else { components::strange(props, configured) };
    let Some(fault) = odd.or_else(|| components::misfit(props, configured)) else { return Ok(()) };
    let name = fault.given.unwrap_or_default();
    Err(Failure::Other(format!("`{name}`: {}", fault.text)))
}

/// A component that nobody published.
async fn load(app: &Arc<App>, project: &ProjectId, path: &Path) -> Result<Component, Failure> {
    let Folder { files, entry } = read(path)?;
    let new = Publication { files, entry, ..Publication::default() };
    components::unpublished(app, project, new).await.map_err(explained)
}

fn show(shell: &Shell, ran: Ran) -> Result<(), Failure> {
    if shell.json {
        output::json(&json!({ "exports": ran.exports, "os": ran.observations, "ret": ran.ret,
            "outcome": ran.outcome }));
    } else {
        for it in ran.observations.iter().filter(|it| it.k != "error") {
            output::note(&format!("{}: {}", it.k, it.msg.as_deref().unwrap_or_default()));
        }
        exports(&ran.exports);
        if !ran.ret.is_null() {
            output::json(&ran.ret);
        }
    }
    match ran.failure {
        None => Ok(()),
        Some(failure) => {
            let stack = ran.observations.last().and_then(|it| it.err.as_ref());
            if let Some(stack) = stack.and_then(|it| it["stack"].as_str()) {
                output::note(stack);
            }
            Err(Failure::Other(match failure {
                Failed::Thrown(it) | Failed::Load(it) => components::placed(&it),
                other => other.to_string(),
            }))
        }
    }
}

fn exports(all: &Map<String, Value>) {
    for (name, value) in all {
        match value.as_str() {
            Some(text) => output::line(&format!("{name}: {text}")),
            None => output::line(&format!("{name}: {value}")),
        }
    }
}

/// What the components of a folder say of themselves, in the order of their paths.
pub(super) async fn describe_all(app: &Arc<App>, root: &Path) -> Result<Index, Failure> {
    let mut texts = std::collections::BTreeMap::new();
    for path in walk(root)? {
        let name: PathBuf = path.strip_prefix(root).unwrap_or(&path).to_owned();
        texts.insert(name.to_string_lossy().into_owned(), std::fs::read_to_string(&path)?);
    }
    let mut all = Index::new();
    for entry in texts.keys().filter(|it| is_component(it)) {
        let paths = closure(entry, |it| texts.get(it).map(String::as_str));
        let files = paths.into_iter().filter_map(|path| {
            let text = texts.get(&path)?.clone();
            Some((path, text.into()))
        });
        let new =
            Publication { files: files.collect(), entry: entry.clone(), ..Publication::default() };
        let component = components::describe(app, &new).await.map_err(explained)?;
        all.push(Indexed { entry: entry.clone(), component });
    }
    Ok(all)
}

/// `slack/actions/send-message/send-message.mjs`: a folder, and in it a file of its name.
fn is_component(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    let [_, kind, folder, file] = parts.as_slice() else { return false };
    ["actions", "sources"].contains(kind) && file.strip_suffix(".mjs") == Some(folder)
}
