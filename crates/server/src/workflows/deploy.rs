//! Deploying a workflow: its file is read, the code of its steps is loaded once, and a version is
//! made that never changes. Runs that are under way go on with theirs.

use std::sync::Arc;

use bytes::Bytes;
use grantkeep_vault::{OwnerKey, Place as SealPlace, Secret, token};
use serde_json::{Map, Value};

use super::expression;
use super::file::{self, DoesDraft, Draft, StepDraft, Texts, wrong};
use super::store::{self, Address, Timer};
use super::{Auth, Definition, Does, Entry, Step, WORKFLOWS_MAX, Whom, Workflow, missing, refused};
use crate::app::App;
use crate::apps;
use crate::components::{self, Component, Described, Files, Kind, Place, Publication, What};
use crate::error::{self, Error, Result};
use crate::ids::{ComponentId, ProjectId, WorkflowId};
use crate::keys::unreadable;
use crate::paging::{Page, PageInfo};
use crate::triggers::Schedule;

/// Random bytes of the secret part of an address.
const KEY_BYTES: usize = 16;
/// What addresses' secret parts begin with: clients know an address by it.
const KEY_PREFIX: &str = "eo";
/// What a workflow's own bearer tokens begin with.
const BEARER_PREFIX: &str = "gkw";
/// The file that is loaded first of a step's own code. It gives the code what it may use without an
/// import, and makes an action of it.
const ENTRY: &str = "workflow-step.mjs";
const ENTRY_CODE: &str = "\
import './workflow-names.mjs';
import * as all from './step.mjs';
const it = all.default;
const found = typeof it === 'function' ? { run: it } : it;
const plain = found !== null && typeof found === 'object' && found.type === undefined;
export default plain ? Object.create(found, { type: { value: 'action' } }) : found;
";
const NAMES: &str = "workflow-names.mjs";
const NAMES_CODE: &str = "\
for (const name of ['defineComponent', 'defineAction', 'defineApp', 'defineSource']) {
  globalThis[name] ??= (it) => it;
}
";
const STEP: &str = "step.mjs";

/// What came of it.
pub struct Deployed {
    pub workflow: Workflow,
    pub definition: Definition,
    /// Whether it was not there already, the same.
    pub fresh: bool,
    /// Its own bearer token, when it was made just now. Never shown again.
    pub bearer: Option<Secret>,
}

/// Deploys a workflow, or the next version of it.
///
/// # Errors
/// [`error::WORKFLOW_BROKEN`], with the line or field; [`error::COMPONENT_BROKEN`], with the place
/// in a step's code;
/// [`error::NOT_FOUND`] for a component that is not there; [`error::TOO_MANY`].
pub async fn deploy(app: &Arc<App>, project: &ProjectId, files: &Texts) -> Result<Deployed> {
    let texts = files.clone();
    let draft = expression::apart(move || Ok(file::read(&texts))).await?;
    let draft = draft.map_err(|why| wrong("steps", format!("an expression: {why}")))??;
    let text = serde_json::to_string(files).map_err(|it| error::INTERNAL.logging(it))?;
    let digest = hex(&token::digest(&text));
    let former = store::by_name(&app.db, project, &draft.name).await?;
    check_on_error(app, project, &draft).await?;
    if let Some(former) = &former
        && store::digest(&app.db, former).await?.as_deref() == Some(&*digest)
    {
        let definition = definition(app, former, former.version).await?;
        let workflow = former.clone();
        return Ok(Deployed { workflow, definition, fresh: false, bearer: None });
    }
    let definition = loaded(app, project, draft).await?;
    let timer = timer(app, former.as_ref(), &definition).await?;
    write(app, project, (former, definition, timer), &digest).await
}

/// What is to be started by a failure is there; a workflow may name itself.
async fn check_on_error(app: &App, project: &ProjectId, draft: &Draft) -> Result<()> {
    let Some(name) = draft.on_error.as_ref().filter(|it| **it != draft.name) else { return Ok(()) };
    if store::by_name(&app.db, project, name).await?.is_some() {
        return Ok(());
    }
    let text = format!("there is no workflow `{name}` in this project; deploy that one first");
    Err(wrong("on_error", text))
}

/// When its timer is due. A workflow that is deployed again with the same timer keeps the time.
async fn timer(app: &App, former: Option<&Workflow>, it: &Definition) -> Result<Timer> {
    let Entry::Timer { schedule, .. } = &it.entry else { return Ok(Timer::At(None)) };
    if let Some(former) = former
        && definition(app, former, former.version).await?.entry == it.entry
    {
        return Ok(Timer::Same);
    }
    let schedule = Schedule::parse(schedule).map_err(|it| error::INTERNAL.logging(it))?;
    Ok(Timer::At(schedule.after(app.clock.now_ms())))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

async fn loaded(app: &Arc<App>, project: &ProjectId, draft: Draft) -> Result<Definition> {
    let mut steps = Vec::with_capacity(draft.steps.len());
    for (nth, it) in draft.steps.into_iter().enumerate() {
        let StepDraft { name, does, props, condition, retries, account, timeout_ms } = it;
        let does = match does {
            DoesDraft::Component { key, version } => known(app, project, (key, version)).await,
            DoesDraft::Code(text) => code(app, project, text).await,
        };
        let (does, described) = does.map_err(|error| at_step(&name, &error))?;
        check_props((nth, &name), &described, &props)?;
        steps.push(Step { name, does, props, condition, retries, account, timeout_ms });
    }
    let mut entry = draft.entry;
    if let Entry::Timer { users: Whom::App(slug), .. } = &mut entry {
        slug.clone_from(&apps::find(app, project, slug).await?.slug);
    }
    Ok(Definition {
        name: draft.name,
        entry,
        environment: draft.environment,
        user: draft.user,
        account: draft.account,
        on_error: draft.on_error,
        concurrency: draft.concurrency,
        throttle: draft.throttle,
        steps,
    })
}

/// The same error, with the step that it is about.
fn at_step(name: &str, error: &Error) -> Error {
    let mut details = error.details().cloned().unwrap_or_else(|| serde_json::json!({}));
    details["step"] = name.into();
    refused(error.kind(), format!("step `{name}`: {}", error.text())).with(details)
}

/// What a step is configured with fits what it runs. What expressions give, nobody knows before.
fn check_props(
    (nth, name): (usize, &str),
    described: &Described,
    props: &Map<String, Value>,
) -> Result<()> {
    let open = |it: &Value| it.as_str().is_some_and(|text| text.contains("{{"));
    let how = (described.additional_props, open as components::Open);
    let Some(fault) = components::judge(&described.props, props, how) else { return Ok(()) };
    let at = match fault.given {
        Some(prop) => format!("steps[{nth}].props.{prop}"),
        None => format!("steps[{nth}].props"),
    };
    let error = wrong(at.as_str(), fault.text);
    let details = serde_json::json!({ "field": at, "step": name });
    Err(error.with(details))
}

/// A version is chosen once, when the workflow is deployed. What is shipped has one version at a
/// time.
async fn known(
    app: &Arc<App>,
    project: &ProjectId,
    (key, version): (String, Option<String>),
) -> Result<(Does, Arc<Described>)> {
    let which = (Kind::Actions, key.as_str(), version.as_deref());
    let found = components::find(app, project, which).await.map_err(|error| {
        let of_another_kind = error.text().starts_with('`');
        if error.kind().status != 404 || of_another_kind {
            return error;
        }
        let version = version.as_ref().map(|it| format!(" {it}")).unwrap_or_default();
        error::NOT_FOUND.saying(format!("There is no action `{key}`{version}."))
    })?;
    let version = matches!(found.place, Place::Published).then_some(found.version).or(version);
    Ok((Does::Component { key, version }, found.described))
}

async fn code(app: &Arc<App>, project: &ProjectId, text: String) -> Result<(Does, Arc<Described>)> {
    let publication = Publication {
        files: code_files(&text),
        entry: ENTRY.to_owned(),
        permissions: Vec::new(),
        aliases: Vec::new(),
    };
    let component = components::unpublished(app, project, publication).await?;
    let usable = component.what() == What::Action && component.described.run;
    if !usable {
        let text = "The default export is no action: it must be a function, or an object with a \
                    `run`, whose `type`, if it has one, is `action`.";
        return Err(refused(error::COMPONENT_BROKEN, text));
    }
    let described = Box::new(component.described.as_ref().clone());
    Ok((Does::Code { id: component.id, text, described }, component.described))
}

fn code_files(text: &str) -> Files {
    Files::from([
        (ENTRY.to_owned(), Bytes::from_static(ENTRY_CODE.as_bytes())),
        (NAMES.to_owned(), Bytes::from_static(NAMES_CODE.as_bytes())),
        (STEP.to_owned(), Bytes::from(text.to_owned())),
    ])
}

/// The component that a step runs.
pub(super) async fn component(
    app: &Arc<App>,
    project: &ProjectId,
    step: &Step,
) -> Result<Component> {
    match &step.does {
        Does::Component { key, version } => {
            components::find(app, project, (Kind::Actions, key, version.as_deref())).await
        }
        Does::Code { id, text, described } => Ok(Component {
            id: ComponentId::clone(id),
            key: step.name.clone(),
            version: described.version.clone().unwrap_or_default(),
            described: Arc::new(described.as_ref().clone()),
            entry: ENTRY.to_owned(),
            permissions: Vec::new(),
            aliases: Vec::new(),
            place: Place::At(code_files(text)),
            created_at_ms: 0,
        }),
    }
}

async fn write(
    app: &Arc<App>,
    project: &ProjectId,
    (former, definition, timer): (Option<Workflow>, Definition, Timer),
    digest: &str,
) -> Result<Deployed> {
    let now_ms = app.clock.now_ms();
    let mut tx = app.db.begin().await?;
    let key = app.keys.project_for_sealing(&mut tx, project, now_ms).await?;
    let mut workflow = if let Some(former) = former {
        // Another deployment may have given it its address and token just now.
        let now = store::locked(&mut tx, project, &former.id).await?;
        now.ok_or_else(|| Error::from(error::CHANGED_MEANWHILE))?
    } else {
        if store::count(&mut tx, project).await? >= WORKFLOWS_MAX {
            let text = format!("A project has at most {WORKFLOWS_MAX} workflows.");
            return Err(refused(error::TOO_MANY, text));
        }
        let new = new(project, &definition.name, now_ms);
        if !store::insert(&mut tx, &new).await? {
            let text = "Another one of this name was deployed just now. Deploy once more.";
            return Err(refused(error::CHANGED_MEANWHILE, text));
        }
        new
    };
    let auth = match definition.entry {
        Entry::Http { auth, .. } => Some(auth),
        Entry::Timer { .. } | Entry::Call => None,
    };
    // An address stays the same while the workflow has one.
    let address_key = match (auth, workflow.key_sealed.take()) {
        (None, _) => None,
        (Some(_), Some(sealed)) => Some(opened(&key, &workflow, &sealed)?),
        (Some(_), None) => Some(token::hex(KEY_PREFIX, KEY_BYTES)),
    };
    let sealed = address_key.as_ref().map(|it| sealed(&key, &workflow, it));
    let hash = address_key.as_ref().map(|it| token::digest(it.expose()));
    let (bearer, bearer_hash) = match (auth, workflow.bearer_hash.take()) {
        (Some(Auth::Bearer), None) => {
            let bearer = token::key(BEARER_PREFIX);
            let hash = token::digest(bearer.expose()).to_vec();
            (Some(bearer), Some(hash))
        }
        (Some(Auth::Bearer), kept) => (None, kept),
        _ => (None, None),
    };
    let address = Address {
        auth,
        key_hash: hash.as_ref().map(<[u8; 32]>::as_slice),
        key_sealed: sealed.as_deref(),
        bearer_hash: bearer_hash.as_deref(),
    };
    let (version, due_at_ms) = store::raise(&mut tx, &workflow, (&address, &timer), now_ms).await?;
    let text = serde_json::to_string(&definition).map_err(|it| error::INTERNAL.logging(it))?;
    store::insert_version(&mut tx, (&workflow.id, version), (&text, digest), now_ms).await?;
    store::forget_versions(&mut tx, (&workflow.id, version)).await?;
    tx.commit().await?;
    workflow.version = version;
    workflow.due_at_ms = due_at_ms;
    workflow.auth = auth;
    workflow.key_sealed = sealed;
    workflow.bearer_hash = bearer_hash;
    workflow.updated_at_ms = now_ms;
    Ok(Deployed { workflow, definition, fresh: true, bearer })
}

fn new(project: &ProjectId, name: &str, now_ms: i64) -> Workflow {
    Workflow {
        id: WorkflowId::mint(),
        project: project.clone(),
        name: name.to_owned(),
        version: 0,
        auth: None,
        key_sealed: None,
        bearer_hash: None,
        due_at_ms: None,
        created_at_ms: now_ms,
        updated_at_ms: now_ms,
    }
}

fn place(it: &Workflow) -> SealPlace<'_> {
    SealPlace {
        project: it.project.as_str(),
        environment: "",
        table: "workflows",
        record: it.id.as_str(),
        column: "key_sealed",
        version: 0,
    }
}

fn sealed(key: &OwnerKey, it: &Workflow, secret: &Secret) -> Vec<u8> {
    key.seal(&place(it), secret.expose().as_bytes())
}

fn opened(key: &OwnerKey, it: &Workflow, sealed: &[u8]) -> Result<Secret> {
    key.open_text(&place(it), sealed).map_err(unreadable)
}

/// Where a workflow is called. `None`: it has no address.
pub(super) async fn address(app: &App, it: &Workflow) -> Result<Option<String>> {
    let Some(sealed) = &it.key_sealed else { return Ok(None) };
    let key = app.keys.project(&app.db, &it.project).await?;
    let key = opened(&key, it, sealed)?;
    Ok(Some(app.url(&format!("/v1/workflows/{}", key.expose())).into()))
}

/// One version of a workflow, as it is run.
pub(super) async fn definition(app: &App, it: &Workflow, version: i64) -> Result<Definition> {
    let found = store::definition(&app.db, &it.project, (&it.id, version)).await?;
    found.ok_or_else(missing)
}

/// By its id or its name.
///
/// # Errors
/// [`error::NOT_FOUND`].
pub async fn find(app: &App, project: &ProjectId, named: &str) -> Result<Workflow> {
    let found = match WorkflowId::parse(named) {
        Some(id) => store::find(&app.db, project, &id).await?,
        None => None,
    };
    match found {
        Some(found) => Ok(found),
        None => store::by_name(&app.db, project, named).await?.ok_or_else(missing),
    }
}

/// One page, newest first.
pub async fn list(app: &App, project: &ProjectId, page: Page) -> Result<(Vec<Workflow>, PageInfo)> {
    let (found, total) = store::list(&app.db, project, &page).await?;
    Ok(page.answer(&app.cursors, found, total, Workflow::boundary))
}
