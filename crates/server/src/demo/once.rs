//! The whole story without a person: every step done for real, and looked at.

use std::time::{Duration, Instant};

use grantkeep_simulator::{PASSWORD, Simulator};
use grantkeep_vault::{Secret, token};
use serde_json::json;

use super::acme::{Acme, Connected, Grant};
use super::browser::Browser;
use super::steps::{Report, Step, Steps, check};
use super::world::{Entered, Options, World, simulate};
use super::{Doing, FOLDER, Result, Trouble, morning};
use crate::audit;
use crate::egress::Egress;
use crate::embedded::{Ask, Folder, Reply, send};
use crate::workers;

/// The user of Acme who connects, and who she is at the providers.
const USER: &str = "robin";
const PERSON: &str = "ada";
const MAIL: &str = "ada@example.test";
/// Where Acme's page would be. Nobody looks: the browser here is scripted.
const ORIGIN: &str = "http://localhost:3000";
/// The provider whose tokens last for five seconds, and the one that takes a key.
const OAUTH: &str = "short";
const KEYS: &str = "keys";
/// By how much the clocks are moved, so that a token of five seconds has ended.
const LATER: Duration = Duration::from_secs(6);
/// How long background writes may take to be seen.
const SOON: Duration = Duration::from_secs(5);
/// How long the run of a workflow may take, and how often it is looked at.
const RUN_MAX: Duration = Duration::from_secs(30);
const LOOKED_EVERY: Duration = Duration::from_millis(20);
/// Longest prefix of a secret that is shown.
const PREFIX_CHARS_MAX: usize = 16;
/// Acts that must have been recorded by the end.
const RECORDED: [&str; 8] = [
    "connect_token.create",
    "connect.opened",
    "connect.consent_started",
    "connect.came_back",
    "connect.finished",
    "account.refresh",
    "account.delete",
    "account.revoke",
];

/// Does everything once. `tell` hears of each step as it ends.
pub async fn once(options: &Options, tell: &mut dyn FnMut(&Step)) -> Report {
    let mut steps = Steps::begin(tell);
    let ended = Box::pin(story(options, &mut steps)).await;
    steps.finish(&ended)
}

async fn story(options: &Options, steps: &mut Steps<'_>) -> Result<()> {
    let simulator = steps.run("start the pretend providers", start_simulator(options)).await?;
    let started = Box::pin(start_server(options, simulator));
    let world = steps.run("start the server", started).await?;
    let told = Box::pin(told(&world, steps)).await;
    let stopped = steps.run("stop everything", stop(world)).await;
    told.and(stopped)
}

async fn start_simulator(options: &Options) -> Result<(Simulator, String)> {
    let simulator = simulate(options).await?;
    let seen = format!("{} of them on {}", simulator.providers().len(), simulator.base_url());
    Ok((simulator, seen))
}

async fn start_server(options: &Options, simulator: Simulator) -> Result<(World, String)> {
    let folder = Folder::open(options.data.as_deref(), FOLDER)?;
    let world = World::serve(options, folder, simulator).await?;
    let seen = format!("{}, SQLite, its own root key", world.server());
    Ok((world, seen))
}

async fn stop(world: World) -> Result<((), String)> {
    let (folder, kept) = (world.folder.path().to_path_buf(), world.folder.is_kept());
    world.stop().await;
    let seen = if kept {
        format!("data kept in {}", folder.display())
    } else {
        check(!folder.exists(), format!("{} is still there", folder.display()))?;
        "the temporary data is gone".to_owned()
    };
    Ok(((), seen))
}

/// What the steps pass on to each other.
struct Told<'a> {
    world: &'a World,
    entered: Entered,
    acme: Acme,
    browser: Browser,
    egress: Egress,
    /// All that must not be found in any file.
    secrets: Vec<Secret>,
}

async fn told(world: &World, steps: &mut Steps<'_>) -> Result<()> {
    let (entered, egress) = steps.run("enter a product and its clients", enter(world)).await?;
    let acme = Acme::new(egress.clone(), world.server(), &entered);
    let browser = Browser::new(egress.clone());
    let mut told = Told { world, entered, acme, browser, egress, secrets: Vec::new() };
    steps.run("trade the client's secret for access", told.access()).await?;
    let page = steps.run("make a connect token", told.token(OAUTH)).await?;
    let session = steps.run("open the connect page", told.open(&page)).await?;
    let started = steps.run("start the flow", told.start(&session)).await?;
    let account = steps.run("sign in and consent", told.consent(&session, &started)).await?;
    steps.run("list the account", told.list(&account)).await?;
    let first = steps.run("read its credentials", told.read(&account)).await?;
    steps.run("call the provider with the token", told.call(&first)).await?;
    steps.run("run a workflow on the account", told.workflow()).await?;
    let second = steps.run("refresh the token", told.refresh(&account, &first)).await?;
    let key = steps.run("connect an app by key", told.key()).await?;
    steps.run("find no secret in the stored files", async { told.search(&account) }).await?;
    steps.run("disconnect, and revoke at the provider", told.revoke(&account, &second)).await?;
    steps.run("disconnect the key", told.forget(&key)).await?;
    steps.run("count the audit events", told.count()).await
}

async fn enter(world: &World) -> Result<((Entered, Egress), String)> {
    let entered = world.enter_product().await?;
    let egress = world.outside()?;
    let seen =
        format!("{} with {} OAuth clients", entered.project.id, entered.provider_secrets.len());
    Ok(((entered, egress), seen))
}

/// A flow that was begun on the page.
struct Started {
    flow: String,
    path: String,
    ticket: Secret,
}

impl Told<'_> {
    async fn access(&mut self) -> Result<((), String)> {
        let token = self.acme.access_token().await?;
        self.secrets.push(token.duplicate());
        self.secrets.push(self.entered.client_secret.duplicate());
        Ok(((), format!("{}, for one hour", masked(&token))))
    }

    /// Gives the address of the page that the token opens.
    async fn token(&mut self, provider: &str) -> Result<(String, String)> {
        let token = self.acme.connect_token(USER, &app(provider), ORIGIN).await?;
        let (server, app) = (self.world.server(), app(provider));
        let page = format!("{server}/_static/connect.html?token={}&app={app}", token.expose());
        let seen = format!("{} for the user {USER}", masked(&token));
        self.secrets.push(token);
        Ok((page, seen))
    }

    async fn open(&mut self, address: &str) -> Result<(Secret, String)> {
        let page = self.browser.open(address, "iframe").await?;
        let boot = page.boot()?;
        let session = boot["session"].as_str().ok_or_else(|| page.unexpected())?;
        let seen = format!("{} bytes of HTML, nothing else needed first", page.body.len());
        self.secrets.push(Secret::new(session));
        Ok((Secret::new(session), seen))
    }

    async fn start(&mut self, session: &Secret) -> Result<(Started, String)> {
        let form = json!({ "fields": {} });
        let answer = self.page_asks("/connect/session/start", session, &form).await?.json()?;
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        let started = Started {
            flow: text("flow"),
            path: text("start_path"),
            ticket: Secret::new(text("ticket")),
        };
        check(!started.flow.is_empty(), "the answer names no flow")?;
        self.secrets.push(started.ticket.duplicate());
        let seen = format!("{}, with a ticket for one use", started.flow);
        Ok((started, seen))
    }

    /// The person's part, in the window: through the provider's own pages and back.
    async fn consent(&mut self, session: &Secret, started: &Started) -> Result<(String, String)> {
        let server = self.world.server();
        let window = self.browser.open(&format!("{server}{}", started.path), "document").await?;
        let ticket = [("ticket", started.ticket.expose())];
        let sign_in = self.browser.submit(&window, &ticket).await?;
        check(sign_in.url.path().ends_with("/login"), sign_in.unexpected().to_string())?;
        let typed = [("user", PERSON), ("password", PASSWORD)];
        let question = self.browser.submit(&sign_in, &typed).await?;
        check(question.url.path().ends_with("/consent"), question.unexpected().to_string())?;
        let back = self.browser.submit(&question, &[("decision", "allow")]).await?;
        check(back.url.path().ends_with("/callback"), back.unexpected().to_string())?;
        let status = self.status(session, &started.flow).await?;
        let account = status["account_id"].as_str().unwrap_or_default();
        check(status["state"] == "done", format!("the flow stands at {}", status["state"]))?;
        check(!account.is_empty(), "the page was told no account")?;
        Ok((account.to_owned(), format!("{PERSON} allowed it; code exchanged with PKCE")))
    }

    async fn status(&self, session: &Secret, flow: &str) -> Result<serde_json::Value> {
        let url = format!("{}/connect/session/status?flow={flow}", self.world.server());
        let bearer = format!("Bearer {}", session.expose());
        let reply = send(&self.egress, Ask::get(&url).with("authorization", bearer)).await?;
        reply.success("asking how the flow stands")?.json()
    }

    /// A call of the page's script.
    async fn page_asks(
        &self,
        path: &str,
        session: &Secret,
        body: &serde_json::Value,
    ) -> Result<Reply> {
        let url = format!("{}{path}", self.world.server());
        let bearer = format!("Bearer {}", session.expose());
        let ask = Ask::json(&url, body).with("authorization", bearer);
        send(&self.egress, ask).await?.success(path)
    }

    async fn list(&self, id: &str) -> Result<((), String)> {
        let accounts = self.acme.accounts(USER).await?;
        let found = accounts.iter().find(|it| it.id == id);
        let Connected { name, app, binding, healthy, .. } =
            found.ok_or_else(|| Trouble::new("the account is not in the list"))?;
        check(accounts.len() == 1, "there are more accounts than were connected")?;
        check(*healthy, "the account is not healthy")?;
        check(name == MAIL, format!("the account is named {name:?}"))?;
        check(*app == self::app(OAUTH), format!("the account is one of {app}"))?;
        check(binding == "embedded", format!("the account's binding is {binding:?}"))?;
        Ok(((), format!("{id}: {name}, {app}, {binding}")))
    }

    async fn read(&mut self, account: &str) -> Result<(Grant, String)> {
        let grant = self.acme.grant(account).await?;
        check(!grant.is_key, "the account has no access token")?;
        self.secrets.push(grant.secret.duplicate());
        let seen = format!("{}, sha256 {}", masked(&grant.secret), grant.fingerprint());
        Ok((grant, seen))
    }

    async fn call(&self, grant: &Grant) -> Result<((), String)> {
        let url = format!("{}/{OAUTH}/api/echo", self.world.simulator.base_url());
        let reply = self.acme.call_provider(&url, grant).await?.success("GET /api/echo")?;
        let user = reply.json()?["user"].as_str().unwrap_or_default().to_owned();
        check(user == PERSON, format!("the provider took the token for {user}'s"))?;
        Ok(((), format!("200, as {user}")))
    }

    /// Code needs Node.js and a sandbox, which all else does without.
    async fn workflow(&self) -> Result<((), String)> {
        if let Err(why) = workers::node(&self.world.app().config).await {
            return Ok(((), format!("passed over: {why}")));
        }
        morning::deploy(self.world.app(), &self.entered.project.id).await?;
        let providers = self.world.simulator.base_url();
        let run = morning::start(&self.acme, USER, providers).await?;
        let begun = Instant::now();
        loop {
            let looked = morning::look(&self.acme, &run).await?;
            if looked["ended"] == true {
                return Ok(((), morning::told(&looked)?));
            }
            check(begun.elapsed() < RUN_MAX, "the run does not end")?;
            tokio::time::sleep(LOOKED_EVERY).await;
        }
    }

    /// Six seconds later, by the clocks of both sides, a token of five seconds has ended.
    async fn refresh(&mut self, account: &str, old: &Grant) -> Result<(Grant, String)> {
        let before = self.world.simulator.counters(OAUTH).refresh_ok;
        self.world.app().clock.shift(i64::try_from(LATER.as_millis()).unwrap_or(0));
        self.world.simulator.advance(LATER);
        let grant = self.acme.grant(account).await?;
        check(grant.fingerprint() != old.fingerprint(), "the token is still the same")?;
        let refreshes = self.world.simulator.counters(OAUTH).refresh_ok - before;
        check(refreshes == 1, format!("the provider counted {refreshes} refreshes"))?;
        check(self.provider_status(OAUTH, old).await? == 401, "the old token still works")?;
        self.call(&grant).await?;
        self.secrets.push(grant.secret.duplicate());
        let (old, new) = (old.fingerprint(), grant.fingerprint());
        Ok((grant, format!("{old} to {new}; the provider counted 1")))
    }

    async fn provider_status(&self, provider: &str, grant: &Grant) -> Result<u16> {
        let url = format!("{}/{provider}/api/echo", self.world.simulator.base_url());
        Ok(self.acme.call_provider(&url, grant).await?.status.as_u16())
    }

    async fn key(&mut self) -> Result<(String, String)> {
        let (address, _) = self.token(KEYS).await?;
        let (session, _) = self.open(&address).await?;
        let key = token::base62("sim_live_", 24);
        let form = json!({ "fields": { "api_key": key.expose() } });
        let answer = self.page_asks("/connect/session/account", &session, &form).await?.json()?;
        let account = answer["account_id"].as_str().unwrap_or_default().to_owned();
        let grant = self.acme.grant(&account).await?;
        check(
            token::equal(grant.secret.expose().as_bytes(), key.expose().as_bytes()),
            "another key",
        )?;
        check(self.provider_status(KEYS, &grant).await? == 200, "the provider refuses the key")?;
        let checked = self.world.simulator.counters(KEYS).verify;
        check(checked == 1, format!("the key was tried out {checked} times"))?;
        let seen = format!("{}, tried out before it was stored", masked(&key));
        self.secrets.push(key);
        Ok((account, seen))
    }

    /// Reads every byte that is stored. The account's id must be found, so that it is known to look
    /// in the right place.
    fn search(&self, account: &str) -> Result<((), String)> {
        let provider_secrets = &self.entered.provider_secrets;
        let (mut bytes, mut files, mut control) = (0, 0, false);
        for file in self.world.folder.files()? {
            let content = std::fs::read(&file).doing("cannot read a stored file")?;
            let text = String::from_utf8_lossy(&content);
            (bytes, files) = (bytes + content.len(), files + 1);
            control |= text.contains(account);
            for secret in self.secrets.iter().chain(provider_secrets) {
                let found = text.contains(secret.expose());
                check(!found, format!("{} is in {}", masked(secret), file.display()))?;
            }
        }
        check(control, "the account's id was not found either, so nothing is proved")?;
        let secrets = self.secrets.len() + provider_secrets.len();
        Ok(((), format!("{secrets} secrets, {files} files, {} kB", bytes / 1_000)))
    }

    async fn revoke(&self, account: &str, grant: &Grant) -> Result<((), String)> {
        let outcome = self.acme.disconnect(account).await?;
        check(outcome == "revoked", format!("the outcome is {outcome}"))?;
        let status = self.provider_status(OAUTH, grant).await?;
        check(status == 401, format!("the provider still answers {status} to the token"))?;
        let alive = self.world.simulator.ledger(OAUTH).iter().filter(|it| !it.revoked).count();
        check(alive == 0, "the provider still has the grant")?;
        Ok(((), format!("{outcome}; the provider answers {status} to its token")))
    }

    async fn forget(&self, account: &str) -> Result<((), String)> {
        let outcome = self.acme.disconnect(account).await?;
        check(outcome == "unsupported", format!("the outcome is {outcome}"))?;
        let left = self.acme.accounts(USER).await?.len();
        check(left == 0, format!("{left} accounts are left"))?;
        Ok(((), format!("{outcome}: only its owner can end a key; no account is left")))
    }

    /// Some acts are recorded in the background, so they are waited for.
    async fn count(&self) -> Result<((), String)> {
        let begun = Instant::now();
        loop {
            self.world.app().audit.settle().await;
            let counts = audit::counts(&self.world.app().db, &self.entered.project.id).await;
            let counts = counts.doing("the audit events cannot be read")?;
            let missing = RECORDED.iter().find(|it| !counts.contains_key(**it));
            let Some(missing) = missing else {
                let all: i64 = counts.values().sum();
                return Ok(((), format!("{all} events of {} kinds", counts.len())));
            };
            check(begun.elapsed() < SOON, format!("{missing} was not recorded"))?;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn app(provider: &str) -> String {
    format!("sim_{provider}")
}

/// Enough of a secret to tell which it is, and no more: its prefix and four characters.
fn masked(secret: &Secret) -> String {
    let text = secret.expose();
    let end = text.find(|it: char| !it.is_ascii_lowercase() && it != '_').unwrap_or(0);
    let prefix = text[..end.min(PREFIX_CHARS_MAX)].rfind('_').map_or(0, |at| at + 1);
    let shown: String = text.chars().take(prefix + 4).collect();
    format!("{shown}…")
}
