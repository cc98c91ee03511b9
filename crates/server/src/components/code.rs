//! The code of a version, as a worker is given it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use grantkeep_runtime::packages::install;
use grantkeep_runtime::{Code, Failure, Key, Thrown};
use http_body_util::Full;
use hyper::Request;
use serde_json::json;

use super::described::Described;
use super::{Component, Place, Publication, missing, shipped, store};
use crate::app::App;
use crate::egress::{Limits, Ports};
use crate::error::{self, Error, Result};
use crate::ids::{ComponentId, ProjectId};
use crate::workers;

/// What says which packages a component needs, and in which bytes.
const LOCK_FILE: &str = "package-lock.json";
/// Bytes of one package as it is fetched, and how long that may take.
const PACKAGE_BYTES_MAX: usize = 64 * 1024 * 1024;
const PACKAGE_WAIT: Duration = Duration::from_mins(1);

/// Has the code loaded in a worker of its own, and hears what it says of itself.
///
/// # Errors
/// [`error::COMPONENT_BROKEN`] with the place in `details`; [`error::CODE_UNAVAILABLE`].
pub async fn describe(app: &Arc<App>, new: &Publication) -> Result<Described> {
    described(app, new, new.aliases.clone()).await
}

/// The same with the names that hold for all of the project's components.
pub(super) async fn describe_for(
    app: &Arc<App>,
    project: &ProjectId,
    new: &Publication,
) -> Result<Described> {
    let aliases = with_own(app, project, &new.aliases).await?;
    described(app, new, aliases).await
}

/// A component that is not published, for whoever writes it.
///
/// # Errors
/// As for [`describe`].
pub async fn unpublished(
    app: &Arc<App>,
    project: &ProjectId,
    new: Publication,
) -> Result<Component> {
    let described = describe_for(app, project, &new).await?;
    Ok(Component {
        id: ComponentId::mint(),
        key: described.key.clone().unwrap_or_else(|| new.entry.clone()),
        version: described.version.clone().unwrap_or_default(),
        described: Arc::new(described),
        entry: new.entry,
        permissions: new.permissions,
        aliases: new.aliases,
        place: Place::At(new.files),
        created_at_ms: app.clock.now_ms(),
    })
}

async fn described(app: &Arc<App>, new: &Publication, aliases: Vec<String>) -> Result<Described> {
    let files: Vec<_> = new.files.iter().map(|(path, it)| (path.clone(), it.clone())).collect();
    let packages = packages(app, &files).await?;
    let code = Code { files, entry: new.entry.clone(), packages, aliases };
    let once = crate::ids::RunId::mint();
    let key = Key::new(["describe", once.as_str()]);
    let pool = app.workers.pool(&app.config).await?;
    let described = pool.describe(&key, &code).await.map_err(|it| failed(&it))?;
    let value = serde_json::to_value(described).map_err(|it| error::INTERNAL.logging(it))?;
    serde_json::from_value(value).map_err(|why| {
        error::COMPONENT_BROKEN.saying(format!(
            "The default export is no component: it must be an object with `key`, `name`, \
             `version`, `type` and `run` ({why})."
        ))
    })
}

/// Why code could not be loaded, for whoever wrote it.
fn failed(failure: &Failure) -> Error {
    match failure {
        Failure::Unavailable(why) => workers::unavailable(why),
        Failure::Load(thrown) | Failure::Thrown(thrown) => {
            let Thrown { name, message, stack, position, .. } = &**thrown;
            let place = position.as_ref().map(
                |it| json!({ "file": own_path(&it.file), "line": it.line, "column": it.column }),
            );
            error::COMPONENT_BROKEN.saying(placed(thrown)).with(json!({
                "name": name, "message": message, "position": place, "stack": stack }))
        }
        other => error::COMPONENT_BROKEN
            .saying(format!("The code cannot be loaded: {other}."))
            .with(json!({ "name": other.code() })),
    }
}

/// What was thrown, its place first, as compilers say it.
pub fn placed(thrown: &Thrown) -> String {
    let Thrown { name, message, position, .. } = thrown;
    let at = position.as_ref();
    let at = at.map(|it| format!("{}:{}:{}: ", own_path(&it.file), it.line, it.column));
    format!("{}{name}: {message}", at.unwrap_or_default())
}

/// A file of the component, as whoever wrote it names it.
fn own_path(file: &str) -> &str {
    file.trim_start_matches("/code/")
}

/// The names that mean our package, with those that hold for all of the project's components.
async fn with_own(app: &App, project: &ProjectId, names: &[String]) -> Result<Vec<String>> {
    let settings = app.project_settings(project).await?;
    let own = settings.map(|it| it.component_packages.clone()).unwrap_or_default();
    let mut all: Vec<String> = names.iter().cloned().chain(own).collect();
    all.sort();
    all.dedup();
    Ok(all)
}

/// The packages that the component's lock file names, in this machine's store.
///
/// # Errors
/// [`error::COMPONENT_BROKEN`] for a lock file that cannot be followed, and for a package that is
/// not what it names.
async fn packages(app: &Arc<App>, files: &[(String, Bytes)]) -> Result<Vec<(String, PathBuf)>> {
    let Some((_, lock)) = files.iter().find(|(path, _)| path == LOCK_FILE) else {
        return Ok(Vec::new());
    };
    let lock = std::str::from_utf8(lock).map_err(|_| broken("package-lock.json is no text."))?;
    let fetch = |url: String| async move { fetched(app, &url).await };
    let store = workers::packages_folder(&app.config);
    tokio::fs::create_dir_all(&store).await.map_err(|it| error::INTERNAL.logging(it))?;
    install(lock, &store, fetch).await.map_err(|why| broken(&format!("{why}.")))
}

fn broken(text: &str) -> Error {
    error::COMPONENT_BROKEN.saying(text.to_owned())
}

/// A package as its registry gives it.
async fn fetched(app: &Arc<App>, url: &str) -> Result<Bytes, String> {
    let uri = app.egress.check_tenant_url(url).map_err(|why| why.detail().to_owned())?;
    let request = Request::get(uri).body(Full::default()).map_err(|it| it.to_string())?;
    let limits = Limits {
        answer_bytes_max: PACKAGE_BYTES_MAX,
        total_timeout: PACKAGE_WAIT,
        ports: Ports::Web,
        ..app.egress.limits()
    };
    let answer = app.egress.send(request, limits).await.map_err(|why| why.detail().to_owned())?;
    if answer.status.is_success() {
        return Ok(answer.body);
    }
    Err(format!("the registry answered {}", answer.status))
}

/// The code of a version that is stored or shipped.
///
/// # Errors
/// [`error::NOT_FOUND`] when it was deleted meanwhile.
pub(super) async fn of(
    app: &Arc<App>,
    project: &ProjectId,
    component: &Component,
) -> Result<Arc<Code>> {
    let aliases = with_own(app, project, &component.aliases).await?;
    let named = format!("{} {}", component.version, aliases.join(" "));
    let read = async {
        let files: Vec<(String, Bytes)> = match &component.place {
            Place::Native => return Err(missing()),
            Place::Shipped(_) => shipped::files_of(&component.entry).into_iter().collect(),
            Place::At(files) => files.clone().into_iter().collect(),
            Place::Published => {
                let (id, version) = (&component.id, &component.version);
                let rows = store::files(&app.db, project, id, version).await?;
                rows.into_iter().map(|(path, it)| (path, Bytes::from(it))).collect()
            }
        };
        let entry = component.entry.clone();
        let packages = packages(app, &files).await?;
        Ok(Code { files, entry, packages, aliases })
    };
    app.workers.code((component.id.clone(), named), read).await
}
