//! `grantkeep webhook`: where news is posted to, and what became of it.

use std::sync::Arc;

use serde_json::{Value, json};

use super::accounts::Place;
use super::{Failure, Shell, operator_event, output};
use crate::app::App;
use crate::paging::Page;
use crate::query::Query;
use crate::tenant::Tenant;
use crate::webhooks::view::{delivery_view, endpoint_view, probe_view};
use crate::webhooks::{self, Condition, Delivery, Endpoint, Progress, Topic, Which};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Make an endpoint; its signing secret is shown this once.
    #[command(after_help = "Examples:\n  \
        grantkeep webhook create https://acme.example/hooks \\\n    \
        --project proj_... --environment production\n  \
        grantkeep webhook create https://acme.example/hooks --topic account.dead \\\n    \
        --topic account.recovered --project proj_... --environment production")]
    Create {
        /// https, on port 443 or 8443.
        url: String,
        /// Post only news of this topic; may be given more than once [default: all].
        #[arg(long = "topic", value_name = "TOPIC")]
        topics: Vec<String>,
        #[command(flatten)]
        place: Place,
    },
    /// List endpoints, and how each takes what is posted to it.
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Take an endpoint away, with all that was still to be posted to it.
    Delete {
        /// The endpoint (`wh_...`).
        id: String,
        #[command(flatten)]
        place: Place,
    },
    /// Give an endpoint another secret; the one before signs beside it for a day.
    Rotate {
        /// The endpoint (`wh_...`).
        id: String,
        #[command(flatten)]
        place: Place,
    },
    /// Post a signed event of type `webhook.test` now, and print what came back.
    Test {
        /// The endpoint (`wh_...`).
        id: String,
        #[command(flatten)]
        place: Place,
    },
    /// Start afresh with an endpoint that was switched off.
    Reset {
        /// The endpoint (`wh_...`).
        id: String,
        #[command(flatten)]
        place: Place,
    },
    /// List what was to be posted, the newest first.
    Deliveries {
        #[command(flatten)]
        place: Place,
        /// Only to this endpoint (`wh_...`).
        #[arg(long, value_name = "ID")]
        endpoint: Option<String>,
        /// Only those that are `waiting`, `delivered` or `failed`.
        #[arg(long)]
        state: Option<String>,
        /// How many, 1 to 100.
        #[arg(long, default_value_t = 50)]
        limit: u8,
    },
    /// Post anew what was given up: everything, or what is named.
    #[command(after_help = "Examples:\n  \
        grantkeep webhook replay --project proj_... --environment production\n  \
        grantkeep webhook replay --delivery dlv_... --project proj_... --environment production")]
    Replay {
        #[command(flatten)]
        place: Place,
        /// Only what failed at this endpoint (`wh_...`).
        #[arg(long, value_name = "ID")]
        endpoint: Option<String>,
        /// Only this delivery (`dlv_...`).
        #[arg(long, value_name = "ID")]
        delivery: Option<String>,
    },
}

pub(super) async fn run(shell: &Shell, command: Command) -> Result<(), Failure> {
    let app = shell.open().await?;
    let done = act(shell, &app, command).await;
    app.close().await;
    done
}

async fn act(shell: &Shell, app: &Arc<App>, command: Command) -> Result<(), Failure> {
    match command {
        Command::Create { url, topics, place } => {
            let tenant = place.tenant(app).await?;
            let topics = parsed(&topics)?;
            let (made, secret) = webhooks::create(app, &tenant, &url, topics).await?;
            record(app, "webhook.create", &made).await?;
            shown(shell, &made, Some(&secret));
        }
        Command::List { place } => list(shell, app, &place.tenant(app).await?).await?,
        Command::Delete { id, place } => {
            let gone = webhooks::delete(app, &place.tenant(app).await?, &id).await?;
            record(app, "webhook.delete", &gone).await?;
            said(shell, &json!({ "id": id, "deleted": true }), &format!("Deleted {id}."));
        }
        Command::Rotate { id, place } => {
            let (changed, secret) = webhooks::rotate(app, &place.tenant(app).await?, &id).await?;
            record(app, "webhook.rotate", &changed).await?;
            shown(shell, &changed, Some(&secret));
        }
        Command::Test { id, place } => test(shell, app, &place.tenant(app).await?, &id).await?,
        Command::Reset { id, place } => {
            let endpoint = webhooks::reset(app, &place.tenant(app).await?, &id).await?;
            record(app, "webhook.reset", &endpoint).await?;
            shown(shell, &endpoint, None);
        }
        Command::Deliveries { place, endpoint, state, limit } => {
            let state = state.map(|it| progress(&it)).transpose()?;
            let which = Which { endpoint: endpoint.as_deref(), state, delivery: None };
            deliveries(shell, app, &place.tenant(app).await?, which, limit).await?;
        }
        Command::Replay { place, endpoint, delivery } => {
            let (endpoint, delivery) = (endpoint.as_deref(), delivery.as_deref());
            let which = Which { endpoint, state: None, delivery };
            replay(shell, app, &place.tenant(app).await?, which).await?;
        }
    }
    Ok(())
}

fn parsed(names: &[String]) -> Result<Option<Vec<Topic>>, Failure> {
    let unknown = |name: &str| {
        let all: Vec<_> = Topic::ALL.iter().map(|it| it.as_str()).collect();
        Failure::Usage(format!("`{name}` is not a topic. There are: {}", all.join(", ")))
    };
    let one = |name: &String| Topic::parse(name).ok_or_else(|| unknown(name));
    let topics: Vec<_> = names.iter().map(one).collect::<Result<_, _>>()?;
    Ok(Some(topics).filter(|it| !it.is_empty()))
}

fn progress(text: &str) -> Result<Progress, Failure> {
    let found = Progress::ALL.into_iter().find(|it| it.as_str() == text);
    found.ok_or_else(|| {
        Failure::Usage("--state must be `waiting`, `delivered` or `failed`".to_owned())
    })
}

async fn record(app: &App, action: &'static str, endpoint: &Endpoint) -> Result<(), Failure> {
    let event = operator_event(action).tenant(&endpoint.tenant);
    Ok(app.audit.record(event.target("webhook", endpoint.id.as_str())).await?)
}

fn said(shell: &Shell, value: &Value, text: &str) {
    if shell.json { output::json(value) } else { output::line(text) }
}

fn shown(shell: &Shell, endpoint: &Endpoint, secret: Option<&grantkeep_vault::Secret>) {
    if shell.json {
        output::json(&json!(endpoint_view(endpoint, secret)));
        return;
    }
    output::line(&format!("id      {}\nurl     {}", endpoint.id, endpoint.url));
    output::line(&format!("topics  {}", topics_text(endpoint)));
    if let Some(secret) = secret {
        output::line(&format!("secret  {}", secret.expose()));
        output::note("Keep the secret now: it cannot be shown again. See docs/guides/webhooks.md.");
    }
}

fn topics_text(endpoint: &Endpoint) -> String {
    endpoint.topics.as_ref().map_or_else(
        || "all".to_owned(),
        |it| it.iter().map(|it| it.as_str()).collect::<Vec<_>>().join(" "),
    )
}

async fn list(shell: &Shell, app: &App, tenant: &Tenant) -> Result<(), Failure> {
    let found = webhooks::list(app, tenant).await?;
    if shell.json {
        let data: Vec<_> = found.iter().map(|it| endpoint_view(it, None)).collect();
        output::json(&json!({ "data": data }));
        return Ok(());
    }
    if found.is_empty() {
        let text = "No endpoints here yet. Make one with `grantkeep webhook create URL`.";
        output::line(text);
        return Ok(());
    }
    let row = |it: &Endpoint| {
        let colour = match it.state {
            Condition::Happy => 32,
            Condition::Penalty | Condition::LifeSupport => 33,
            Condition::Deactivated => 31,
        };
        vec![
            it.id.to_string(),
            it.url.clone(),
            topics_text(it),
            output::paint(it.state.as_str(), colour),
            it.failures.to_string(),
            it.last_error.clone().unwrap_or_default(),
        ]
    };
    let header = ["ID", "URL", "TOPICS", "STATE", "FAILURES", "LAST ERROR"];
    output::table(&header, found.iter().map(row).collect());
    Ok(())
}

async fn test(shell: &Shell, app: &Arc<App>, tenant: &Tenant, id: &str) -> Result<(), Failure> {
    let probe = webhooks::probe(app, tenant, id).await?;
    record(app, "webhook.test", &probe.endpoint).await?;
    let (status, error, took_ms) = (probe.status, probe.error.clone(), probe.took_ms);
    let answer = probe.answer.clone().unwrap_or_default();
    if shell.json {
        output::json(&json!(probe_view(probe)));
    } else if let Some(status) = status {
        output::line(&format!("{status} after {took_ms} ms\n{answer}"));
    }
    match error {
        None => Ok(()),
        Some(error) => Err(Failure::Other(format!("Not taken: {error}"))),
    }
}

async fn deliveries(
    shell: &Shell,
    app: &App,
    tenant: &Tenant,
    which: Which<'_>,
    limit: u8,
) -> Result<(), Failure> {
    let query = Query::parse(&format!("limit={limit}"));
    let page = Page::of(&query, &app.cursors, String::new())?;
    let (mut found, total) = webhooks::deliveries(app, tenant, which, &page).await?;
    found.truncate(usize::from(limit));
    if shell.json {
        let data: Vec<_> = found.iter().map(delivery_view).collect();
        output::json(&json!({ "data": data, "total_count": total }));
        return Ok(());
    }
    if found.is_empty() {
        output::line(&format!("No deliveries in {}.", tenant.environment));
        return Ok(());
    }
    let row = |it: &Delivery| {
        let colour = match it.state {
            Progress::Delivered => 32,
            Progress::Waiting => 33,
            Progress::Failed => 31,
        };
        let waits = it.state == Progress::Waiting;
        vec![
            it.id.to_string(),
            it.endpoint.to_string(),
            it.topic.clone(),
            output::paint(it.state.as_str(), colour),
            it.attempts.to_string(),
            output::time(Some(it.created_at_ms)),
            output::time(waits.then_some(it.next_at_ms)),
            it.last_error.clone().unwrap_or_default(),
        ]
    };
    let header = ["ID", "ENDPOINT", "TOPIC", "STATE", "TRIES", "CREATED", "NEXT TRY", "LAST ERROR"];
    output::table(&header, found.iter().map(row).collect());
    output::note(&format!("{} of {total}", found.len()));
    Ok(())
}

async fn replay(
    shell: &Shell,
    app: &Arc<App>,
    tenant: &Tenant,
    which: Which<'_>,
) -> Result<(), Failure> {
    let replayed = webhooks::replay(app, tenant, which).await?;
    let detail = json!({ "endpoint": which.endpoint, "delivery": which.delivery,
        "replayed": replayed });
    let event = operator_event("webhook.replay").tenant(tenant);
    app.audit.record(event.detail(detail)).await?;
    let text = format!("Queued {replayed} again. A running server posts them.");
    said(shell, &json!({ "replayed": replayed }), &text);
    Ok(())
}
