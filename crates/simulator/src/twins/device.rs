//! Codes that a person types on another page (RFC 8628).

use http::StatusCode;
use serde_json::json;

use super::asked::{Asked, Doubts, Place, lower};
use super::{State, Twin, fill, proof};
use crate::exchange::Answer;
use crate::secrets;

const LIFE_S: u64 = 600;
/// Seconds between two questions, and by how much longer they become.
const INTERVAL_S: u64 = 5;
const SLOWER_S: u64 = 5;

/// A code that was given.
pub(super) struct Device {
    pub code: String,
    user_code: String,
    decided: Option<bool>,
    ends_ms: u64,
    interval_s: u64,
    /// When it was last asked, or begun.
    asked_ms: u64,
    slow_down: bool,
}

pub(super) fn start(twin: &Twin, state: &mut State, asked: &Asked, place: &Place) -> Answer {
    let file = &twin.file;
    state.calls.device += 1;
    let mut doubts = Doubts::default();
    doubts.same("the method", Some("POST"), Some(asked.method.as_str()));
    let beside = asked.query_beside(place);
    doubts.unless(beside.is_empty(), format!("the query holds {beside:?}"));
    let sent = doubts.of(asked.body_pairs("form"));
    let mut headers = fill::pairs(&lower(&file.pairs("oauth2.token_headers")), &state.secrets());
    let auth = file.text_or("oauth2.client_auth", "post").to_owned();
    let parts =
        &mut proof::Sent { asked, pairs: &sent, headers: &mut headers, doubts: &mut doubts };
    let mut expected = proof::client(twin, state, &auth, parts);
    let id = (twin.renamed("client_id"), state.client.id.clone());
    if !expected.contains(&id) {
        expected.push(id);
    }
    let scopes = file.scopes("oauth2").join(file.text_or("oauth2.scopes.separator", " "));
    if !scopes.is_empty() {
        expected.push(("scope".to_owned(), scopes));
    }
    expected.extend(fill::pairs(&file.pairs("oauth2.authorization_params"), &state.values));
    doubts.same_pairs("the device request", expected, &sent);
    doubts.same_headers(&headers, asked.headers);
    if !doubts.none() {
        return twin.refused(state, "device", &doubts, StatusCode::BAD_REQUEST);
    }
    let now_ms = twin.now_ms();
    let device = Device {
        code: secrets::fresh("dc."),
        user_code: "WDJB-MJHT".to_owned(),
        decided: None,
        ends_ms: now_ms + LIFE_S * 1_000,
        interval_s: INTERVAL_S,
        asked_ms: now_ms,
        slow_down: false,
    };
    let page = format!("{}{}/device", twin.base_url, twin.root);
    let answer = json!({
        "device_code": device.code,
        "user_code": device.user_code,
        "verification_uri": page,
        "verification_uri_complete": format!("{page}?user_code={}", device.user_code),
        "expires_in": LIFE_S,
        "interval": INTERVAL_S,
    });
    state.device = Some(device);
    Answer::json(StatusCode::OK, &answer)
}

/// Whether tokens may be given now; else the error's code (section 3.5).
pub(super) fn polled(
    state: &mut State,
    code: &str,
    now_ms: u64,
    doubts: &mut Doubts,
) -> Result<(), &'static str> {
    state.calls.polls += 1;
    let Some(device) = state.device.as_mut().filter(|it| it.code == code) else {
        return Err("invalid_grant");
    };
    let early = now_ms < device.asked_ms + device.interval_s * 1_000;
    doubts.unless(!early, "asked before the interval was over");
    device.asked_ms = now_ms;
    if std::mem::take(&mut device.slow_down) {
        device.interval_s += SLOWER_S;
        return Err("slow_down");
    }
    let said = match device.decided {
        _ if now_ms >= device.ends_ms => Err("expired_token"),
        None => return Err("authorization_pending"),
        Some(false) => Err("access_denied"),
        Some(true) => Ok(()),
    };
    state.device = None;
    said
}

impl Twin {
    /// The person types this code on the app's page, and allows it or not.
    ///
    /// # Errors
    /// There is no such code.
    pub fn decide_device(&self, user_code: &str, allow: bool) -> Result<(), String> {
        let mut state = self.state();
        let device = state.device.as_mut().filter(|it| it.user_code == user_code);
        let device = device.ok_or("there is no such code")?;
        device.decided = Some(allow);
        Ok(())
    }

    /// Whoever asks next is told to ask more seldom.
    pub fn slow_down(&self) {
        if let Some(device) = self.state().device.as_mut() {
            device.slow_down = true;
        }
    }
}
