//! Why there is no answer: one text for callers, details for the operator's log.

use std::error::Error;
use std::fmt;

/// The kind of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The URL, or an address it resolves to, must not be called.
    NotAllowed,
    /// The name could not be resolved.
    Dns,
    /// Nobody took the connection.
    Connect,
    /// The other side could not prove who it is, or TLS failed otherwise.
    Tls,
    /// It took too long.
    Timeout,
    /// The answer is larger than allowed.
    TooLarge,
    /// What came back is not HTTP, or broke off.
    Protocol,
}

impl Failure {
    /// A label for metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotAllowed => "not_allowed",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::TooLarge => "too_large",
            Self::Protocol => "protocol",
        }
    }
}

/// A request that got no usable answer.
///
/// Shown to a caller it always says the same, so that nobody can look around in the operator's
/// network by it. [`EgressError::detail`] is for the operator's log.
#[derive(Clone, Debug)]
pub struct EgressError {
    failure: Failure,
    detail: String,
    sent: bool,
    refused: bool,
}

impl fmt::Display for EgressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the address could not be reached")
    }
}

impl Error for EgressError {}

impl EgressError {
    pub(super) fn new(failure: Failure, detail: &str, sent: bool) -> Self {
        Self { failure, detail: detail.to_owned(), sent, refused: false }
    }

    pub(super) fn sent(failure: Failure, detail: &str) -> Self {
        Self::new(failure, detail, true)
    }

    pub(crate) fn unsent(failure: Failure, detail: &str) -> Self {
        Self::new(failure, detail, false)
    }

    /// What the connector said, else what the client says.
    pub(super) fn from_client(error: &hyper_util::client::legacy::Error, sent: bool) -> Self {
        let mut cause: Option<&(dyn Error + 'static)> = Some(error);
        let mut texts = Vec::new();
        let mut refused = false;
        while let Some(it) = cause {
            if let Some(own) = it.downcast_ref::<Self>() {
                return own.clone();
            }
            refused |= it.downcast_ref::<h2::Error>().is_some_and(is_refusal);
            texts.push(it.to_string());
            cause = it.source();
        }
        let failure = if error.is_connect() { Failure::Connect } else { Failure::Protocol };
        let sent = sent && !error.is_connect() && !refused;
        Self { refused, ..Self::new(failure, &texts.join(": "), sent) }
    }

    /// The kind of failure, for decisions and metrics. Not for callers.
    pub const fn failure(&self) -> Failure {
        self.failure
    }

    /// What happened, for the operator's log. Holds addresses, never bodies or headers.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Whether the other side may have got the request. `false`: it is safe to send it again.
    pub const fn maybe_sent(&self) -> bool {
        self.sent
    }

    /// Whether the other side said that it did not look at the request. Another try, at once, is
    /// what it asks for.
    pub const fn was_refused(&self) -> bool {
        self.refused
    }
}

/// RFC 9113 section 8.7: a stream above the last one that a GOAWAY names, or one that was reset
/// with `REFUSED_STREAM`, was not processed. The HTTP library gives the other side's GOAWAY to the
/// streams above alone; those below go on.
fn is_refusal(error: &h2::Error) -> bool {
    let reason = error.reason();
    error.is_remote()
        && (error.is_go_away() && reason == Some(h2::Reason::NO_ERROR)
            || error.is_reset() && reason == Some(h2::Reason::REFUSED_STREAM))
}
