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
/// The only service, with those that begin with its name and a dash, that takes paths as they are
/// and wants the body's hash in a header.
const S3: &str = "s3";
/// A label of hosts that are reached by IPv6 too. It says nothing else.
const DUAL_STACK: &str = "dualstack";
/// Stands in the place of a region where a service has one for all of the government's.
const US_GOV: &str = "us-gov";
const US_GOV_REGION: &str = "us-gov-west-1";
/// Hosts that do not tell the name that their service signs by.
const SIGNING_NAMES: [(&str, &str); 19] = [
    ("appstream2", "appstream"),
    ("appsync-api", "appsync"),
    ("aps-workspaces", "aps"),
    ("bedrock-agent", "bedrock"),
    ("bedrock-agent-runtime", "bedrock"),
    ("bedrock-runtime", "bedrock"),
    ("cloudhsmv2", "cloudhsm"),
    ("ddb", "dynamodb"),
    ("email", "ses"),
    ("git-codecommit", "codecommit"),
    ("marketplace", "aws-marketplace"),
    ("models-v2-lex", "lex"),
    ("mturk-requester-sandbox", "mturk-requester"),
    ("personalize-events", "personalize"),
    ("personalize-runtime", "personalize"),
    ("pinpoint", "mobiletargeting"),
    ("queue", "sqs"),
    ("runtime-v2-lex", "lex"),
    ("transcribestreaming", "transcribe"),
];

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
    let plain = service == S3 || service.starts_with("s3-");
    let signer = Signer {
        access_key_id: id.expose(),
        secret_access_key: &secret,
        session_token: (!session.expose().is_empty()).then_some(&session),
        region: region.or(own_region).unwrap_or(GLOBAL_REGION),
        service,
        double_encode: !plain,
        content_header: plain,
        now_s: app.clock.now_ms() / 1_000,
        allow_loopback_http: app.config.egress_allow_loopback,
    };
    Ok(signer.sign(target)?)
}

/// Service and region, as far as a host tells them: `SERVICE.REGION.amazonaws.com`, with labels of
/// the account's own before it (`BUCKET.s3.REGION`, `ID.execute-api.REGION`), the two the other way
/// round (`ID.REGION.es`), or no region at all (`iam.amazonaws.com`).
fn place(url: &str) -> (Option<&str>, Option<&str>) {
    let host = url.split("://").nth(1).and_then(|it| it.split(['/', '?', ':']).next());
    let Some(labels) = host.and_then(|it| it.strip_suffix(SUFFIX)) else { return (None, None) };
    let labels: Vec<&str> = labels.split('.').filter(|it| *it != DUAL_STACK).collect();
    let (service, region) = match labels.iter().rposition(|it| is_region(it)) {
        Some(at) if at + 1 < labels.len() => (labels.last(), Some(labels[at])),
        Some(at) => (at.checked_sub(1).map(|it| &labels[it]), Some(labels[at])),
        None => match labels.as_slice() {
            [.., service, US_GOV] => (Some(service), Some(US_GOV_REGION)),
            all => (all.last(), None),
        },
    };
    let Some(service) = service.copied() else { return (None, None) };
    if !is_s3(service) {
        return (Some(signing_name(service)), region);
    }
    // What stands before it is a bucket, whatever it looks like.
    let region = region.filter(|it| labels.last() == Some(it));
    (Some(S3), region_within(service).or(region))
}

/// Whether a label is one of the many names of S3: `s3`, `s3-us-west-2`, `s3-accelerate`,
/// `s3-control`. Two services that begin with it sign as what they are called.
fn is_s3(label: &str) -> bool {
    let others = ["s3-object-lambda", "s3-outposts"];
    label == S3 || (label.starts_with("s3-") && !others.contains(&label))
}

/// The region that an older name of S3 holds.
fn region_within(label: &str) -> Option<&str> {
    let kind = label.strip_prefix("s3-")?;
    let kind = kind.strip_prefix("fips-").unwrap_or(kind);
    let region = if kind == "external-1" { GLOBAL_REGION } else { kind };
    Some(region).filter(|it| is_region(it))
}

/// What a service's label stands for in a signature.
fn signing_name(label: &str) -> &str {
    let label = label.strip_suffix("-fips").unwrap_or(label);
    let known = SIGNING_NAMES.iter().find(|(it, _)| *it == label);
    known.map_or(label, |(_, name)| *name)
}

/// `eu-west-1`, `us-gov-east-1`.
fn is_region(label: &str) -> bool {
    let parts: Vec<&str> = label.split('-').collect();
    let [area, middle @ .., number] = parts.as_slice() else { return false };
    let letters = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_lowercase());
    area.len() == 2
        && !middle.is_empty()
        && std::iter::once(area).chain(middle).all(|it| letters(it))
        && !number.is_empty()
        && number.bytes().all(|it| it.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn the_host_tells_service_and_region() {
        let at = |service, region| (Some(service), Some(region));
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
            ("https://b.s3.dualstack.us-west-2.amazonaws.com/k", at("s3", "us-west-2")),
            ("https://s3-us-west-2.amazonaws.com/b", at("s3", "us-west-2")),
            ("https://b.s3-eu-west-1.amazonaws.com/k", at("s3", "eu-west-1")),
            ("https://b.s3-accelerate.amazonaws.com/k", (Some("s3"), None)),
            ("https://b.s3-accelerate.dualstack.amazonaws.com/k", (Some("s3"), None)),
            ("https://s3-external-1.amazonaws.com/b", at("s3", "us-east-1")),
            ("https://s3-fips-us-gov-west-1.amazonaws.com/b", at("s3", "us-gov-west-1")),
            ("https://b.s3-fips.dualstack.us-east-2.amazonaws.com", at("s3", "us-east-2")),
            ("https://1.s3-control.eu-west-1.amazonaws.com/v", at("s3", "eu-west-1")),
            ("https://p-1.s3-accesspoint.eu-west-1.amazonaws.com/k", at("s3", "eu-west-1")),
            (
                "https://p-1.s3-object-lambda.eu-west-1.amazonaws.com/k",
                at("s3-object-lambda", "eu-west-1"),
            ),
            ("https://us-west-2.s3.amazonaws.com/k", (Some("s3"), None)),
            ("https://my.s3.b.s3.eu-west-1.amazonaws.com/k", at("s3", "eu-west-1")),
            ("https://my-bucket-1.s3.amazonaws.com/k", (Some("s3"), None)),
            ("https://search-x-1.eu-west-1.es.amazonaws.com/_search", at("es", "eu-west-1")),
            ("https://x.us-east-1.aoss.amazonaws.com/", at("aoss", "us-east-1")),
            ("https://us-east-1.queue.amazonaws.com/1/q", at("sqs", "us-east-1")),
            ("https://queue.amazonaws.com/1/q", (Some("sqs"), None)),
            ("https://email.eu-west-1.amazonaws.com/", at("ses", "eu-west-1")),
            ("https://bedrock-runtime.us-east-1.amazonaws.com/", at("bedrock", "us-east-1")),
            ("https://bedrock-runtime-fips.us-east-1.amazonaws.com", at("bedrock", "us-east-1")),
            ("https://sqs-fips.us-east-1.amazonaws.com/1/q", at("sqs", "us-east-1")),
            ("https://123.ddb.us-east-1.amazonaws.com/", at("dynamodb", "us-east-1")),
            ("https://streams.dynamodb.us-east-1.amazonaws.com", at("dynamodb", "us-east-1")),
            ("https://api.ecr.us-gov-east-1.amazonaws.com/", at("ecr", "us-gov-east-1")),
            ("https://iam.us-gov.amazonaws.com/", at("iam", "us-gov-west-1")),
            ("https://eu-west-1.s3-accelerate.amazonaws.com/k", (Some("s3"), None)),
            ("https://eu-west-1.amazonaws.com/", (None, None)),
        ];
        for (url, expected) in cases {
            assert_eq!(place(url), expected, "{url}");
        }
    }
}
