//! The books of one provider: clients, codes, grants and tokens, and the rules by which they live.
//!
//! Nothing here reads a clock or answers over HTTP. Tokens are kept by their SHA-256.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::brands::Rotation;
use crate::exchange::Call;
use crate::faults::FaultRule;
use crate::refreshes::{Refreshes, Verdict};
use crate::secrets;

pub(crate) const CODE_LIFE_MS: u64 = 60_000;
const VISIT_LIFE_MS: u64 = 30 * 60_000;
const NEVER_MS: u64 = u64::MAX;

/// How often each thing happened at one provider since the start (or the last reset).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Arrivals at the authorization endpoint.
    pub authorize: u64,
    pub consented: u64,
    pub denied: u64,
    /// Code exchanges that arrived, and those that were granted.
    pub token_code: u64,
    pub token_code_ok: u64,
    /// Refreshes that arrived, and those that were granted.
    pub token_refresh: u64,
    pub refresh_ok: u64,
    /// Refreshes that arrived while another one of the same grant was still being served.
    pub overlap: u64,
    /// Refreshes with a token that was no longer allowed, as the rotation class has it.
    pub illegal_reuse: u64,
    /// Codes presented again after they had been exchanged.
    pub code_replays: u64,
    pub revoke: u64,
    pub api_calls: u64,
    pub api_401: u64,
    pub verify: u64,
    /// OAuth 1.0a: temporary credentials asked for, token credentials asked for, bad signatures.
    pub request_token: u64,
    pub access_token: u64,
    pub bad_signature: u64,
}

/// What became of one grant. Tokens are shown by their SHA-256 only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantView {
    pub id: String,
    pub user: String,
    pub client_id: String,
    pub scopes: Vec<String>,
    pub workspace: Option<String>,
    pub created_ms: u64,
    pub revoked: bool,
    pub refresh_issued: usize,
    pub refresh_consumed: usize,
    pub refresh_alive: usize,
    pub access_issued: usize,
    pub access_alive: usize,
    /// The refresh tokens that would be accepted now.
    pub refresh_alive_sha256: Vec<String>,
    /// The access tokens that would be accepted now.
    pub access_alive_sha256: Vec<String>,
}

#[derive(Clone)]
pub(crate) struct Client {
    pub secret: String,
    /// How the consent page calls it.
    pub name: String,
    pub redirect_uris: Vec<String>,
}

/// Somebody on the way through login and consent.
#[derive(Clone, Default)]
pub(crate) struct Visit {
    pub client_id: String,
    pub redirect_uri: String,
    pub state: String,
    pub scopes: Vec<String>,
    pub challenge: String,
    /// What the token is for (RFC 8707); empty when not said.
    pub resource: String,
    /// OAuth 1.0a: the temporary credential that is being authorised.
    pub request_token: Option<String>,
    pub user: Option<String>,
    pub workspace: Option<String>,
    pub created_ms: u64,
}

enum CodeState {
    Fresh(Box<Visit>),
    Exchanged { grant: String },
    Burnt,
}

struct Code {
    state: CodeState,
    created_ms: u64,
}

pub(crate) struct Grant {
    pub user: String,
    pub client_id: String,
    pub scopes: Vec<String>,
    pub workspace: Option<String>,
    pub created_ms: u64,
    pub revoked: bool,
    /// Hashes of its tokens, in the order of issue.
    refresh: Vec<String>,
    access: Vec<String>,
}

struct RefreshToken {
    grant: String,
    parent: Option<String>,
    replaced_ms: Option<u64>,
    /// Class P2: a pair that this token was exchanged for has been used.
    successor_used: bool,
}

pub(crate) struct AccessToken {
    pub grant: String,
    /// The refresh token it was issued with.
    companion: Option<String>,
    pub expires_ms: u64,
    /// OAuth 1.0a: the secret that signs.
    pub secret: String,
}

/// OAuth 1.0a temporary credentials.
pub(crate) struct RequestToken {
    pub secret: String,
    pub client_id: String,
    pub callback: String,
    pub verifier: Option<String>,
    pub user: Option<String>,
}

/// A pair fresh from the token endpoint.
pub(crate) struct Issued {
    pub access_token: String,
    pub refresh_token: Option<String>,
    pub scopes: Vec<String>,
    pub user: String,
    pub workspace: Option<String>,
}

/// What an exchange of a code must match.
pub(crate) struct CodeClaim<'a> {
    pub code: &'a str,
    pub client_id: &'a str,
    pub redirect_uri: &'a str,
    pub verifier: &'a str,
    pub resource: &'a str,
    pub scope_reduced: bool,
}

#[derive(Default)]
pub(crate) struct Books {
    pub clients: BTreeMap<String, Client>,
    pub visits: HashMap<String, Visit>,
    /// Who is signed in, by the hash of the cookie.
    pub sessions: HashMap<String, String>,
    codes: HashMap<String, Code>,
    pub grants: BTreeMap<String, Grant>,
    pub access: HashMap<String, AccessToken>,
    refresh: HashMap<String, RefreshToken>,
    pub request_tokens: HashMap<String, RequestToken>,
    pub nonces: HashSet<String>,
    /// Users whose keys and passwords no longer work.
    pub shut_out: HashSet<String>,
    pub in_flight: HashMap<String, u32>,
    pub counters: Counters,
    pub faults: Vec<FaultRule>,
    pub rules: Option<(Rotation, u64)>,
    pub refreshes: Refreshes,
    /// What is said of an access token's life, where that is not the truth. Seconds.
    pub announced_life_s: Option<u64>,
    /// What the documents about server and resource say otherwise.
    pub described: (serde_json::Value, serde_json::Value),
}

impl Books {
    fn rotation(&self) -> (Rotation, u64) {
        self.rules.unwrap_or((Rotation::P0, 0))
    }

    /// Keeps a visit, forgets those left behind, and gives its id.
    pub(crate) fn open_visit(&mut self, visit: Visit) -> String {
        let oldest_ms = visit.created_ms.saturating_sub(VISIT_LIFE_MS);
        self.visits.retain(|_, it| it.created_ms >= oldest_ms);
        let id = secrets::fresh("visit_");
        self.visits.insert(id.clone(), visit);
        id
    }

    pub(crate) fn issue_code(&mut self, visit: Visit, now_ms: u64) -> String {
        let code = secrets::fresh("code_");
        let state = CodeState::Fresh(Box::new(visit));
        self.codes.insert(secrets::hash(&code), Code { state, created_ms: now_ms });
        code
    }

    /// Exchanges a code once. `None` is `invalid_grant`, whatever the reason was.
    ///
    /// A second presentation revokes what the first one gave (RFC 6749 section 4.1.2). A wrong
    /// verifier, client or redirect URI burns the code.
    pub(crate) fn exchange(&mut self, claim: &CodeClaim, now: Now) -> Option<Issued> {
        let code = self.codes.get_mut(&secrets::hash(claim.code))?;
        let visit = match std::mem::replace(&mut code.state, CodeState::Burnt) {
            CodeState::Fresh(visit) => visit,
            CodeState::Burnt => return None,
            CodeState::Exchanged { grant } => {
                code.state = CodeState::Exchanged { grant: grant.clone() };
                self.counters.code_replays += 1;
                self.revoke_grant(&grant);
                return None;
            }
        };
        let matches = now.ms < code.created_ms + CODE_LIFE_MS
            && visit.client_id == claim.client_id
            && visit.redirect_uri == claim.redirect_uri
            && visit.resource == claim.resource
            && verifier_is_sound(claim.verifier)
            && secrets::same(&secrets::pkce_challenge(claim.verifier), &visit.challenge);
        if !matches {
            return None;
        }
        let mut visit = *visit;
        if claim.scope_reduced {
            visit.scopes.truncate(1);
        }
        let grant = self.open_grant(&visit, now.ms);
        if let Some(code) = self.codes.get_mut(&secrets::hash(claim.code)) {
            code.state = CodeState::Exchanged { grant: grant.clone() };
        }
        self.counters.token_code_ok += 1;
        Some(self.issue(&grant, None, now))
    }

    pub(crate) fn open_grant(&mut self, visit: &Visit, now_ms: u64) -> String {
        let id = format!("grant_{:06}", self.grants.len() + 1);
        let grant = Grant {
            user: visit.user.clone().unwrap_or_default(),
            client_id: visit.client_id.clone(),
            scopes: visit.scopes.clone(),
            workspace: visit.workspace.clone(),
            created_ms: now_ms,
            revoked: false,
            refresh: Vec::new(),
            access: Vec::new(),
        };
        self.grants.insert(id.clone(), grant);
        id
    }

    /// A new access token, and a new refresh token unless the class keeps the old one.
    pub(crate) fn issue(&mut self, grant: &str, parent: Option<&str>, now: Now) -> Issued {
        let keeps = parent.is_some() && self.rotation().0 == Rotation::P0;
        let refresh_token = (!keeps).then(|| secrets::fresh("srt_"));
        let companion = match &refresh_token {
            Some(token) => {
                let hash = secrets::hash(token);
                let row = RefreshToken {
                    grant: grant.to_owned(),
                    parent: parent.map(str::to_owned),
                    replaced_ms: None,
                    successor_used: false,
                };
                self.refresh.insert(hash.clone(), row);
                self.owned_by(grant, |it| it.refresh.push(hash.clone()));
                hash
            }
            None => parent.unwrap_or_default().to_owned(),
        };
        let access_token = secrets::fresh("sat_");
        let row = AccessToken {
            grant: grant.to_owned(),
            companion: Some(companion),
            expires_ms: now.ms + now.access_life_ms,
            secret: String::new(),
        };
        let hash = secrets::hash(&access_token);
        self.owned_by(grant, |it| it.access.push(hash.clone()));
        self.access.insert(hash, row);
        let (scopes, user, workspace) =
            self.grants.get(grant).map_or_else(Default::default, |it| {
                (it.scopes.clone(), it.user.clone(), it.workspace.clone())
            });
        Issued { access_token, refresh_token, scopes, user, workspace }
    }

    /// OAuth 1.0a token credentials for a grant: no end, no refresh.
    pub(crate) fn issue_signed(&mut self, grant: &str) -> (String, String) {
        let (token, secret) = (secrets::fresh("sot_"), secrets::fresh(""));
        let row = AccessToken {
            grant: grant.to_owned(),
            companion: None,
            expires_ms: NEVER_MS,
            secret: secret.clone(),
        };
        let hash = secrets::hash(&token);
        self.owned_by(grant, |it| it.access.push(hash.clone()));
        self.access.insert(hash, row);
        (token, secret)
    }

    fn owned_by(&mut self, grant: &str, note: impl FnOnce(&mut Grant)) {
        if let Some(grant) = self.grants.get_mut(grant) {
            note(grant);
        }
    }

    /// The grant a refresh token belongs to, dead or alive.
    pub(crate) fn grant_of(&self, refresh_token: &str) -> Option<&str> {
        self.refresh.get(&secrets::hash(refresh_token)).map(|it| it.grant.as_str())
    }

    /// Refreshes by the rotation class, and notes it. `None` is `invalid_grant`.
    pub(crate) fn refresh(&mut self, call: &Call, client_id: &str, now: Now) -> Option<Issued> {
        let hash = secrets::hash(call.form().get("refresh_token"));
        let used = self.refresh.get(&hash)?.replaced_ms.is_some();
        let issued = self.refresh_by(&hash, client_id, now);
        let verdict = match &issued {
            Some(issued) => Verdict::Granted {
                at_ms: now.ms,
                again: used,
                access_sha256: secrets::hash(&issued.access_token),
                refresh_sha256: issued.refresh_token.as_deref().map(secrets::hash),
            },
            None => Verdict::Refused { illegal: used },
        };
        if let Some(id) = &call.refresh {
            self.refreshes.judge(id, verdict);
        }
        issued
    }

    fn refresh_by(&mut self, hash: &str, client_id: &str, now: Now) -> Option<Issued> {
        let grant_id = self.refresh.get(hash)?.grant.clone();
        let grant = self.grants.get(&grant_id)?;
        if grant.client_id != client_id {
            return None;
        }
        if grant.revoked || !self.accepts(hash, now.ms) {
            if self.refresh.get(hash).is_some_and(|it| it.replaced_ms.is_some()) {
                self.counters.illegal_reuse += 1;
                if self.rotation().0 == Rotation::P7 {
                    self.revoke_grant(&grant_id);
                }
            }
            return None;
        }
        self.mark_used(hash);
        if self.rotation().0 != Rotation::P0 {
            let row = self.refresh.get_mut(hash)?;
            row.replaced_ms.get_or_insert(now.ms);
        }
        self.counters.refresh_ok += 1;
        Some(self.issue(&grant_id, Some(hash), now))
    }

    fn accepts(&self, hash: &str, now_ms: u64) -> bool {
        let (class, grace_ms) = self.rotation();
        self.refresh.get(hash).is_some_and(|it| match (class, it.replaced_ms) {
            (_, None) | (Rotation::P0 | Rotation::P1, _) => true,
            (Rotation::P2, _) => !it.successor_used,
            (_, Some(at_ms)) => now_ms < at_ms + grace_ms,
        })
    }

    /// The pair of this refresh token is in use now: the token it was exchanged for is done.
    fn mark_used(&mut self, hash: &str) {
        let parent = self.refresh.get(hash).and_then(|it| it.parent.clone());
        if let Some(row) = parent.and_then(|it| self.refresh.get_mut(&it)) {
            row.successor_used = true;
        }
    }

    /// The grant an access token belongs to, dead or alive.
    pub(crate) fn grant_of_access(&self, access_token: &str) -> Option<&str> {
        self.access.get(&secrets::hash(access_token)).map(|it| it.grant.as_str())
    }

    /// The grant behind a living access token; using it counts as using its pair.
    pub(crate) fn use_access(&mut self, token: &str, now_ms: u64) -> Option<&Grant> {
        let row = self.access.get(&secrets::hash(token))?;
        let alive = now_ms < row.expires_ms;
        let (grant, companion) = (row.grant.clone(), row.companion.clone());
        if !alive || self.grants.get(&grant).is_none_or(|it| it.revoked) {
            return None;
        }
        if let Some(companion) = companion {
            self.mark_used(&companion);
        }
        self.grants.get(&grant)
    }

    /// RFC 7009: a refresh token takes its grant along, an access token goes alone.
    pub(crate) fn revoke_token(&mut self, token: &str, client_id: &str) {
        let hash = secrets::hash(token);
        let owned = |books: &Self, grant: &str| {
            books.grants.get(grant).is_some_and(|it| it.client_id == client_id)
        };
        if let Some(grant) = self.refresh.get(&hash).map(|it| it.grant.clone()) {
            if owned(self, &grant) {
                self.revoke_grant(&grant);
            }
        } else if self.access.get(&hash).is_some_and(|it| owned(self, &it.grant)) {
            self.access.remove(&hash);
        }
    }

    pub(crate) fn revoke_grant(&mut self, grant: &str) {
        if let Some(grant) = self.grants.get_mut(grant) {
            grant.revoked = true;
        }
    }

    pub(crate) fn revoke_user(&mut self, user: &str) -> usize {
        let mut count = 0;
        for grant in self.grants.values_mut().filter(|it| it.user == user && !it.revoked) {
            grant.revoked = true;
            count += 1;
        }
        self.shut_out.insert(user.to_owned());
        count
    }

    /// Ends every living access token now; refresh tokens stay.
    pub(crate) fn expire_access(&mut self, now_ms: u64) -> usize {
        let mut count = 0;
        for token in self.access.values_mut().filter(|it| it.expires_ms > now_ms) {
            token.expires_ms = now_ms;
            count += 1;
        }
        count
    }

    pub(crate) fn ledger(&self, now_ms: u64) -> Vec<GrantView> {
        self.grants.iter().map(|(id, grant)| self.view(id, grant, now_ms)).collect()
    }

    fn view(&self, id: &str, grant: &Grant, now_ms: u64) -> GrantView {
        let refresh: Vec<_> =
            grant.refresh.iter().filter_map(|hash| self.refresh.get_key_value(hash)).collect();
        let access: Vec<_> =
            grant.access.iter().filter_map(|hash| self.access.get_key_value(hash)).collect();
        let mut refresh_alive: Vec<String> = refresh
            .iter()
            .filter(|(hash, _)| !grant.revoked && self.accepts(hash, now_ms))
            .map(|(hash, _)| (*hash).clone())
            .collect();
        let mut access_alive: Vec<String> = access
            .iter()
            .filter(|(_, it)| !grant.revoked && now_ms < it.expires_ms)
            .map(|(hash, _)| (*hash).clone())
            .collect();
        refresh_alive.sort();
        access_alive.sort();
        GrantView {
            id: id.to_owned(),
            user: grant.user.clone(),
            client_id: grant.client_id.clone(),
            scopes: grant.scopes.clone(),
            workspace: grant.workspace.clone(),
            created_ms: grant.created_ms,
            revoked: grant.revoked,
            refresh_issued: refresh.len(),
            refresh_consumed: refresh.iter().filter(|(_, it)| it.replaced_ms.is_some()).count(),
            refresh_alive: refresh_alive.len(),
            access_issued: access.len(),
            access_alive: access_alive.len(),
            refresh_alive_sha256: refresh_alive,
            access_alive_sha256: access_alive,
        }
    }
}

/// The time, and how long an access token lives from it.
#[derive(Clone, Copy)]
pub(crate) struct Now {
    pub ms: u64,
    pub access_life_ms: u64,
}

/// RFC 7636 section 4.1: 43 to 128 unreserved characters.
fn verifier_is_sound(verifier: &str) -> bool {
    (43..=128).contains(&verifier.len())
        && verifier.bytes().all(|it| it.is_ascii_alphanumeric() || b"-._~".contains(&it))
}
