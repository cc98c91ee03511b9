//! Passing an app's answer back.

use axum::http::{HeaderMap, HeaderValue, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use url::Url;

use super::download::{Bounds, Cut, Download};
use super::echo::{Needles, Scanner};
use super::headers;
use super::record::Passing;
use super::send::Sending;
use crate::egress::BodyError;
use crate::error::{self, Error, Result};
use crate::projects::Echo;
use crate::slots::Slot;

/// With [`Echo::Refuse`], an answer of up to this many bytes is read before its head is passed on,
/// so that it can be withheld as a whole.
const READ_BYTES_MAX: u64 = 64 * 1024;

/// The answer as the caller gets it, its body still coming.
///
/// # Errors
/// [`error::UPSTREAM_PROTOCOL`], [`error::UPSTREAM_TOO_LARGE`], [`error::SECRET_IN_RESPONSE`].
pub(super) async fn answer(
    sending: Sending<'_>,
    response: Response<Incoming>,
    (slot, echo): (Slot, Echo),
) -> Result<Response<Passing>> {
    let (mut head, incoming) = response.into_parts();
    if head.status.is_informational() {
        return Err(error::UPSTREAM_PROTOCOL.logging("the app changed the protocol"));
    }
    let bounds = Bounds::of(&sending.app.config, &head.headers, (sending.end, echo));
    let length = headers::length(&head.headers);
    if length.is_some_and(|it| it > bounds.bytes_max) {
        return Err(error::UPSTREAM_TOO_LARGE.into());
    }
    let needles = sending.injection.needles(sending.proxy);
    let own: Vec<&Url> = sending.app.config.own_urls().chain(&sending.asked.reached_at).collect();
    head.headers = headers::to_caller(head.headers, &sending.url, &own);
    black_out(&mut head.headers, &needles, echo)?;
    let download = Download::new(incoming, Scanner::new(needles), bounds, vec![slot]);
    let body = match (echo, length) {
        (Echo::Refuse, Some(..=READ_BYTES_MAX)) => read(download).await?,
        _ => Passing::Coming(download),
    };
    let mut answer = Response::new(body);
    *answer.status_mut() = head.status;
    *answer.headers_mut() = head.headers;
    Ok(answer)
}

fn black_out(headers: &mut HeaderMap, needles: &Needles, echo: Echo) -> Result<()> {
    for value in headers.values_mut() {
        let Some(black) = needles.black_out(value.as_bytes()) else { continue };
        if echo == Echo::Refuse {
            return Err(error::SECRET_IN_RESPONSE.into());
        }
        *value = HeaderValue::from_bytes(&black).unwrap_or(HeaderValue::from_static("***"));
    }
    Ok(())
}

async fn read(download: Download) -> Result<Passing> {
    let read = download.collect().await;
    read.map(|it| Passing::Whole(it.to_bytes())).map_err(|it| told(&it))
}

/// Why an answer does not come whole.
pub(super) fn told(error: &BodyError) -> Error {
    match error.downcast_ref::<Cut>() {
        Some(Cut::Secret) => error::SECRET_IN_RESPONSE.into(),
        Some(Cut::Late) => error::UPSTREAM_TIMEOUT.into(),
        Some(Cut::TooLarge) => error::UPSTREAM_TOO_LARGE.into(),
        None => error::UPSTREAM_PROTOCOL.logging(error),
    }
}
