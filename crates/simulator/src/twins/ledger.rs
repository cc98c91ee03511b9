//! The tokens of the one grant that a twin has given, and by which rules they are renewed.

use crate::secrets;

/// Seconds that a used refresh token works where the file names no grace.
const GRACE_S: [(&str, u64); 3] = [("P3", 1_800), ("P4", 600), ("P5", 60)];

struct RefreshToken {
    token: String,
    replaced_ms: Option<u64>,
}

/// The grant of whoever is connected now.
#[derive(Default)]
pub(super) struct Ledger {
    /// Class of rotation: `P0` to `P7`.
    class: String,
    grace_ms: u64,
    refresh: Vec<RefreshToken>,
    access: Option<(String, Option<u64>)>,
    pub revoked: bool,
}

impl Ledger {
    pub(super) fn open(class: &str, grace_s: Option<u64>) -> Self {
        let usual = GRACE_S.iter().find(|(it, _)| *it == class).map_or(0, |it| it.1);
        let grace_ms = grace_s.unwrap_or(usual) * 1_000;
        Self { class: class.to_owned(), grace_ms, ..Self::default() }
    }

    /// A new access token; the one before is worth nothing.
    pub(super) fn issue_access(&mut self, ends_ms: Option<u64>) -> String {
        // What means something in a header or a form comes back as it was.
        let token = format!("{}+/=", secrets::fresh("at."));
        self.access = Some((token.clone(), ends_ms));
        token
    }

    pub(super) fn issue_refresh(&mut self) -> String {
        let token = format!("{}+/=", secrets::fresh("rt."));
        self.refresh.push(RefreshToken { token: token.clone(), replaced_ms: None });
        token
    }

    /// Uses a refresh token by the rules of its class. The new one; `None` inside: it stays.
    pub(super) fn renew(&mut self, token: &str, now_ms: u64) -> Result<Option<String>, String> {
        let at = self.refresh.iter().position(|it| it.token == token);
        let at = at.ok_or_else(|| format!("the refresh token `{token}` was never given"))?;
        let alive = match (self.class.as_str(), self.refresh[at].replaced_ms) {
            (_, None) | ("P0" | "P1", _) => true,
            // Until the token that replaced it was used itself.
            ("P2", Some(_)) => self.refresh[at + 1..].iter().all(|it| it.replaced_ms.is_none()),
            (_, Some(at_ms)) => now_ms < at_ms + self.grace_ms,
        };
        if self.revoked || !alive {
            self.revoked |= self.class == "P7";
            return Err(format!("the refresh token `{token}` was used before"));
        }
        if self.class == "P0" {
            return Ok(None);
        }
        self.refresh[at].replaced_ms.get_or_insert(now_ms);
        Ok(Some(self.issue_refresh()))
    }

    /// The access token that is good now.
    pub(super) fn access(&self, now_ms: u64) -> Option<&str> {
        let (token, ends_ms) = self.access.as_ref()?;
        let alive = !self.revoked && ends_ms.is_none_or(|it| now_ms < it);
        alive.then_some(token.as_str())
    }

    pub(super) fn ends(&self) -> bool {
        self.access.as_ref().is_some_and(|it| it.1.is_some())
    }

    /// The token to be revoked: the newest refresh token, or the access token.
    pub(super) fn newest(&self, refresh: bool) -> Option<&str> {
        let newest = self.refresh.last().filter(|_| refresh).map(|it| it.token.as_str());
        newest.or(self.access.as_ref().map(|it| it.0.as_str()))
    }
}
