//! Who calls, as extractors: a handler's signature says which kinds of caller it takes and with
//! what scope.
//!
//! `authn.rs` turned the credential into a [`Caller`] before; here it is only judged.

use std::marker::PhantomData;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;

use crate::app::App;
use crate::audit::Event;
use crate::config::MissingEnvironment;
use crate::error::{self, Error, Result};
use crate::ids::{ClientId, KeyId, ProjectId, RequestId, UserId};
use crate::reach::Reach;
use crate::scope::{Need, Scope, Scopes};
use crate::tenant::{Environment, Tenant};

/// Who acts, as audit names him.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    Client(ClientId),
    Key(KeyId),
    /// An external user, by a connect token or the connect page.
    User(UserId),
    /// Somebody at the command line of the server's host.
    Operator,
    /// The server itself: scheduler and jobs.
    System,
}

impl Actor {
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Client(_) => "client",
            Self::Key(_) => "key",
            Self::User(_) => "user",
            Self::Operator => "operator",
            Self::System => "system",
        }
    }

    pub fn id(&self) -> &str {
        match self {
            Self::Client(id) => id.as_str(),
            Self::Key(id) => id.as_str(),
            Self::User(id) => id.as_str(),
            Self::Operator => "cli",
            Self::System => "server",
        }
    }
}

/// What a connect token says of its bearer.
#[derive(Clone, Debug)]
pub struct ConnectGrant {
    /// Names the token's row; not usable as the token.
    pub hash: [u8; 32],
    pub tenant: Tenant,
    pub user: UserId,
    pub external_id: String,
}

/// A caller whose credential was checked.
#[derive(Clone, Debug)]
pub struct Caller {
    pub actor: Actor,
    pub scopes: Scopes,
    /// The only project it reaches; `None` for clients of the whole server.
    pub project: Option<ProjectId>,
    pub connect: Option<Arc<ConnectGrant>>,
    /// The calls to apps that it may make through the proxy; `None`: all.
    pub reach: Option<Arc<Reach>>,
}

impl Caller {
    /// Whether it may open a way by which credentials are seen. Browsers never may.
    ///
    /// # Errors
    /// [`error::SCOPE_MISSING`], with what was wanted.
    pub fn may_show_credentials(&self, what: &str) -> Result<()> {
        if self.connect.is_none() && self.scopes.allow(Scope::CredentialsRead) {
            return Ok(());
        }
        Err(error::SCOPE_MISSING.saying(format!(
            "{what} lets code see credentials, so it needs the scope `{}`, which the token does \
             not have.",
            Scope::CredentialsRead.as_str()
        )))
    }
}

/// Where a request came from, for audit.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    pub ip: Option<IpAddr>,
    pub request_id: Option<RequestId>,
}

/// Which kinds of caller a route takes.
pub trait Who: Send + Sync + 'static {
    const SERVER: bool;
    const CONNECT: bool;
}

macro_rules! who {
    ($($(#[$doc:meta])* $name:ident server=$server:literal connect=$connect:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name;
        impl Who for $name {
            const SERVER: bool = $server;
            const CONNECT: bool = $connect;
        }
    )*};
}
who! {
    /// OAuth clients and API keys only.
    Server server=true connect=false;
    /// Any bearer.
    Anyone server=true connect=true;
    /// Connect tokens only.
    Browser server=false connect=true;
}

/// A caller of the right kind, with the scope. No project is looked at.
pub struct Call<W: Who, N: Need> {
    pub caller: Arc<Caller>,
    pub origin: Origin,
    kind: PhantomData<(W, N)>,
}

/// A caller within a project of his, named by the path, the connect token or the API key.
pub struct InProject<W: Who, N: Need> {
    pub caller: Arc<Caller>,
    pub origin: Origin,
    pub project: ProjectId,
    kind: PhantomData<(W, N)>,
}

/// A caller within a project and an environment.
pub struct InTenant<W: Who, N: Need> {
    pub caller: Arc<Caller>,
    pub origin: Origin,
    pub tenant: Tenant,
    /// Set by the older paths, where an external user's id stands in the place of the project's.
    path_user: Option<String>,
    kind: PhantomData<(W, N)>,
}

impl<W: Who, N: Need> InTenant<W, N> {
    /// The external user that the call is limited to. A connect token is limited to its own user,
    /// and naming another is answered as if he did not exist.
    pub fn only_user(&self, asked: Option<&str>) -> Result<Option<String>> {
        let bound = self.caller.connect.as_ref().map(|grant| grant.external_id.as_str());
        match (bound.or(self.path_user.as_deref()), asked) {
            (Some(bound), Some(asked)) if bound != asked => Err(error::NOT_FOUND.into()),
            (Some(bound), _) => Ok(Some(bound.to_owned())),
            (None, asked) => Ok(asked.map(str::to_owned)),
        }
    }

    /// Whether this is one of the older paths; their lists have another envelope.
    pub fn is_older_path(&self) -> bool {
        self.path_user.is_some()
    }

    /// Whether the caller may see credentials. Browsers never may.
    pub fn may_read_credentials(&self) -> bool {
        self.caller.connect.is_none() && self.caller.scopes.allow(Scope::CredentialsRead)
    }
}

impl<W: Who, N: Need> FromRequestParts<Arc<App>> for Call<W, N> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self> {
        let caller = judge::<W, N>(parts)?;
        Ok(Self { caller, origin: origin(parts), kind: PhantomData })
    }
}

impl<W: Who, N: Need> FromRequestParts<Arc<App>> for InProject<W, N> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self> {
        let caller = judge::<W, N>(parts)?;
        let Place { project, user } = place(parts, app, &caller).await?;
        if user.is_some() {
            return Err(error::NOT_FOUND.into());
        }
        Ok(Self { caller, origin: origin(parts), project, kind: PhantomData })
    }
}

impl<W: Who, N: Need> FromRequestParts<Arc<App>> for InTenant<W, N> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self> {
        let caller = judge::<W, N>(parts)?;
        let Place { project, user } = place(parts, app, &caller).await?;
        // A connect token implies its environment; a header that says otherwise is not listened to,
        // since old browser clients send one by habit.
        let environment = match &caller.connect {
            Some(grant) => grant.tenant.environment,
            None => environment(parts, app)?,
        };
        let tenant = Tenant { project, environment };
        Ok(Self { caller, origin: origin(parts), tenant, path_user: user, kind: PhantomData })
    }
}

fn judge<W: Who, N: Need>(parts: &Parts) -> Result<Arc<Caller>> {
    let caller = parts.extensions.get::<Arc<Caller>>().ok_or(error::INVALID_TOKEN)?;
    let right_kind = if caller.connect.is_some() { W::CONNECT } else { W::SERVER };
    if !right_kind {
        return Err(error::WRONG_TOKEN_TYPE.into());
    }
    if let Some(scope) = N::SCOPE.filter(|scope| !caller.scopes.allow(*scope)) {
        return Err(error::SCOPE_MISSING.saying(format!(
            "This call needs the scope `{}`, which the token does not have.",
            scope.as_str()
        )));
    }
    Ok(Arc::clone(caller))
}

struct Place {
    project: ProjectId,
    user: Option<String>,
}

/// Finds the project. Another's project is answered as if it did not exist (OWASP API1,
/// object-level authorization).
async fn place(parts: &mut Parts, app: &Arc<App>, caller: &Caller) -> Result<Place> {
    let params =
        RawPathParams::from_request_parts(parts, app).await.map_err(|_| error::NOT_FOUND)?;
    let named = params.iter().find(|(name, _)| *name == "project").map(|(_, value)| value);
    let (project, user) = match (named, &caller.project) {
        (None, Some(bound)) => (bound.clone(), None),
        (None, None) => return Err(error::NOT_FOUND.into()),
        (Some(named), bound) => match (ProjectId::parse(named), bound) {
            (Some(project), None) => (project, None),
            (Some(project), Some(bound)) if project == *bound => (project, None),
            (None, Some(bound)) if matches!(caller.actor, Actor::Key(_)) => {
                (bound.clone(), Some(named.to_owned()))
            }
            (Some(other), Some(bound)) => {
                // Noted for whoever reads the log, and whether or not there is such a project.
                let event = Event::new("project.refused", &caller.actor, &origin(parts));
                let event = event.project(bound).target("project", other.as_str());
                app.audit.note(event.outcome("refused"));
                return Err(error::NOT_FOUND.into());
            }
            _ => return Err(error::NOT_FOUND.into()),
        },
    };
    if !app.project_exists(&project).await? {
        return Err(error::NOT_FOUND.into());
    }
    Ok(Place { project, user })
}

fn environment(parts: &Parts, app: &Arc<App>) -> Result<Environment> {
    let implied = match app.config.missing_environment {
        MissingEnvironment::Refuse => None,
        MissingEnvironment::Production => Some(Environment::Production),
        MissingEnvironment::Development => Some(Environment::Development),
    };
    Environment::from_headers(&parts.headers)?
        .or(implied)
        .ok_or_else(|| error::INVALID_ENVIRONMENT.into())
}

impl<S: Send + Sync> FromRequestParts<S> for Origin {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(origin(parts))
    }
}

fn origin(parts: &Parts) -> Origin {
    parts.extensions.get::<Origin>().cloned().unwrap_or_default()
}
