//! What can be made to go wrong, where, and how often.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A place where a fault can be set. The last four stand for several places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    Authorize,
    Login,
    Consent,
    TokenCode,
    TokenRefresh,
    Revoke,
    Me,
    Echo,
    Items,
    Verify,
    RequestToken,
    AccessToken,
    /// Documents about server and resource.
    Metadata,
    Register,
    /// The MCP server.
    Mcp,
    /// The logo and the provider's own pages. Faults do not reach it, save by `Any`.
    Other,
    /// `TokenCode` and `TokenRefresh`.
    Token,
    /// `Authorize`, `Login` and `Consent`.
    Pages,
    /// `Me`, `Echo` and `Items`.
    Api,
    Any,
}

impl Endpoint {
    fn covers(self, place: Self) -> bool {
        self == place
            || match self {
                Self::Any => true,
                Self::Token => matches!(place, Self::TokenCode | Self::TokenRefresh),
                Self::Pages => matches!(place, Self::Authorize | Self::Login | Self::Consent),
                Self::Api => place.is_api(),
                _ => false,
            }
    }

    pub(crate) fn is_api(self) -> bool {
        matches!(self, Self::Me | Self::Echo | Self::Items)
    }
}

/// One thing that goes wrong.
///
/// Those marked *instead* keep the provider from doing anything: it has not seen the request.
/// All others act on the answer after the request was fully processed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum Fault {
    /// Waits, then processes. A caller that goes away meanwhile was never served.
    Delay { ms: u64 },
    /// Processes at once, then waits before answering.
    DelayAnswer { ms: u64 },
    /// *Instead*: an answer with this status (and `Retry-After`, in seconds).
    Status {
        status: u16,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_s: Option<u32>,
    },
    /// Processes, then answers with this status and no content of use.
    StatusAfter { status: u16 },
    /// Status 200, `application/json`, cut off in the middle.
    InvalidJson,
    /// Status 200 and an HTML page.
    Html,
    /// The token answer has no `expires_in`.
    MissingExpiresIn,
    /// Status 200 and a JSON text of this many bytes without end.
    HugeBody { bytes: u64 },
    /// Processes, then closes the connection without a byte of answer.
    LostAnswer,
    /// *Instead*: closes the connection.
    LostRequest,
    /// The right answer, one byte each `ms`.
    SlowDrip { ms: u64 },
    /// *Instead*, at the token endpoint: `invalid_grant`, though the grant is alive.
    InvalidGrant,
    /// *Instead*: 302 to this address.
    Redirect { to: String },
    /// The authorization answer names another issuer (set it on `Consent`).
    WrongIss,
    /// The authorization answer names no issuer (set it on `Consent`).
    NoIss,
    /// The grant gets the first scope only (`TokenCode`), or the answer says so (`TokenRefresh`).
    ScopeReduced,
    /// Pages come with `Cross-Origin-Opener-Policy: same-origin`, which cuts the opener off.
    CoopSameOrigin,
}

/// How often a fault happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Times {
    Next(u32),
    Always,
}

/// A fault, where it happens, and how often yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultRule {
    pub endpoint: Endpoint,
    #[serde(flatten)]
    pub fault: Fault,
    /// `{"next": 3}` or `"always"`; once when absent.
    #[serde(default = "once")]
    pub times: Times,
}

fn once() -> Times {
    Times::Next(1)
}

/// The faults that this one call meets.
pub(crate) struct Active(pub Vec<Fault>);

impl Active {
    /// Takes from the rules what applies at `place`, and counts it off.
    pub(crate) fn take(rules: &mut Vec<FaultRule>, place: Endpoint) -> Self {
        let mut met = Vec::new();
        rules.retain_mut(|rule| {
            if !rule.endpoint.covers(place) {
                return true;
            }
            let Times::Next(left) = &mut rule.times else {
                met.push(rule.fault.clone());
                return true;
            };
            if *left > 0 {
                met.push(rule.fault.clone());
                *left -= 1;
            }
            *left > 0
        });
        Self(met)
    }

    pub(crate) fn none() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn has(&self, fault: &Fault) -> bool {
        self.0.contains(fault)
    }

    /// Whether the caller gets something else than the right answer, or less.
    pub(crate) fn spoil(&self) -> bool {
        self.0.iter().any(|it| {
            matches!(
                it,
                Fault::LostAnswer
                    | Fault::StatusAfter { .. }
                    | Fault::InvalidJson
                    | Fault::Html
                    | Fault::HugeBody { .. }
                    | Fault::SlowDrip { .. }
            )
        })
    }

    pub(crate) fn delay_before(&self) -> Duration {
        self.sum(|it| if let Fault::Delay { ms } = it { *ms } else { 0 })
    }

    pub(crate) fn delay_after(&self) -> Duration {
        self.sum(|it| if let Fault::DelayAnswer { ms } = it { *ms } else { 0 })
    }

    fn sum(&self, ms: impl Fn(&Fault) -> u64) -> Duration {
        Duration::from_millis(self.0.iter().map(ms).sum())
    }
}
