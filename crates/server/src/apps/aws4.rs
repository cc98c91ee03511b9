//! Requests signed the way of AWS (Signature Version 4).

use grantkeep_catalog::Aws4;
use grantkeep_oauth::Secret;
use grantkeep_oauth::aws::{Signer, Target};

use super::protocol::{Unaskable, Values};
use crate::app::App;

/// What a host of AWS ends in.
const SUFFIX: &str = ".amazonaws.com";
/// The region of services that have none in their host.
const GLOBAL_REGION: &str = "us-east-1";
/// The only service that takes paths as they are, and wants the body's hash in a header.
const S3: &str = "s3";

/// The headers to be put on a request, by lower-case name. To be made anew for every sending.
///
/// # Errors
/// [`Unaskable`].
pub fn sign(
    app: &App,
    (values, it): (&Values<'_>, &Aws4),
    target: &Target<'_>,
) -> Result<Vec<(&'static str, Secret)>, Unaskable> {
    let id = values.text(&it.access_key_id)?;
    let secret = values.text(&it.secret_access_key)?;
    let session = values.text(&it.session_token)?;
    let (service, region) = place(target.url);
    let own = |text: &Option<String>| text.as_ref().map(|it| values.text(it)).transpose();
    let (own_region, own_service) = (own(&it.region)?, own(&it.service)?);
    let own_region = own_region.as_ref().map(Secret::expose).filter(|it| !it.is_empty());
    let service = own_service.as_ref().map(Secret::expose).or(service).unwrap_or_default();
    let signer = Signer {
        access_key_id: id.expose(),
        secret_access_key: &secret,
        session_token: (!session.expose().is_empty()).then_some(&session),
        region: region.or(own_region).unwrap_or(GLOBAL_REGION),
        service,
        double_encode: service != S3,
        content_header: service == S3,
        now_s: app.clock.now_ms() / 1_000,
        allow_loopback_http: app.config.egress_allow_loopback,
    };
    Ok(signer.sign(target)?)
}

/// Service and region, as far as a host tells them: `SERVICE.REGION.amazonaws.com`,
/// `BUCKET.s3.REGION.amazonaws.com`, `iam.amazonaws.com`.
fn place(url: &str) -> (Option<&str>, Option<&str>) {
    let host = url.split("://").nth(1).and_then(|it| it.split(['/', '?', ':']).next());
    let Some(labels) = host.and_then(|it| it.strip_suffix(SUFFIX)) else { return (None, None) };
    let labels: Vec<&str> = labels.split('.').collect();
    if let Some(at) = labels.iter().position(|it| *it == S3) {
        return (Some(S3), labels.get(at + 1).copied());
    }
    match labels.as_slice() {
        [.., service, region] if is_region(region) => (Some(service), Some(region)),
        [.., service] => (Some(service), None),
        [] => (None, None),
    }
}

fn is_region(label: &str) -> bool {
    label.contains('-') && label.ends_with(|it: char| it.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn the_host_tells_service_and_region() {
        let cases = [
            ("https://sts.amazonaws.com/", (Some("sts"), None)),
            ("https://sqs.eu-west-1.amazonaws.com/1/q", (Some("sqs"), Some("eu-west-1"))),
            ("https://b.s3.eu-west-1.amazonaws.com/k", (Some("s3"), Some("eu-west-1"))),
            ("https://b.s3.amazonaws.com/k?x", (Some("s3"), None)),
            ("https://s3.us-east-2.amazonaws.com", (Some("s3"), Some("us-east-2"))),
            (
                "https://a1.execute-api.us-east-1.amazonaws.com/",
                (Some("execute-api"), Some("us-east-1")),
            ),
            ("https://evil.example/amazonaws.com", (None, None)),
        ];
        for (url, expected) in cases {
            assert_eq!(place(url), expected, "{url}");
        }
    }
}
