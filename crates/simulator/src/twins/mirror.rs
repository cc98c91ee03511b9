//! The twin's file: the app's own, with every address that is called led to this server.
//!
//! `https://api.acme.example/v1` becomes `http://127.0.0.1:1234/twins/acme/api.acme.example/v1`, so
//! the twin sees whom the request was for. What is compared and not called stays as it is.

use toml::{Table, Value};

/// Addresses that are called, by their place in the file.
const CALLED: [&[&str]; 16] = [
    &["oauth2", "authorization_url"],
    &["oauth2", "token_url"],
    &["oauth2", "refresh_url"],
    &["oauth2", "mtls_token_url"],
    &["oauth2", "installation", "user_token_url"],
    &["oauth2", "installation", "check_url"],
    &["oauth2", "device_authorization_url"],
    &["oauth2", "par_url"],
    &["oauth2", "revocation", "url"],
    &["oauth1", "request_token_url"],
    &["oauth1", "authorize_url"],
    &["oauth1", "access_token_url"],
    &["key_exchange", "url"],
    &["verify", "url"],
    &["identity", "request", "url"],
    &["proxy", "base_url"],
];

/// The file for the catalogue; `root` is the twin's address here, without a slash at the end.
pub(super) fn file(text: &str, root: &str) -> Result<String, String> {
    let mut file: Table = toml::from_str(text).map_err(|error| error.to_string())?;
    for path in CALLED {
        if let Some(Value::String(url)) = at(&mut file, path) {
            *url = address(url, root);
        }
    }
    if let Some(Value::Table(proxy)) = file.get_mut("proxy") {
        // All hosts are this one.
        proxy.remove("hosts");
    }
    aws(&mut file);
    toml::to_string(&file).map_err(|error| error.to_string())
}

fn at<'a>(file: &'a mut Table, path: &[&str]) -> Option<&'a mut Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(file.get_mut(*first)?, |value, key| value.get_mut(*key))
}

/// A value that is a whole origin is one segment of the path too: its slashes come encoded.
fn address(url: &str, root: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) if !scheme.contains("${") => format!("{root}/{rest}"),
        _ => format!("{root}/{url}"),
    }
}

/// What would be read off the host is said, since the host is this one.
fn aws(file: &mut Table) {
    let host = match at(file, &["proxy", "base_url"]) {
        Some(Value::String(url)) => url.split('/').nth(5).unwrap_or_default().to_owned(),
        _ => return,
    };
    let Some(Value::Table(aws)) = at(file, &["proxy", "aws4"]) else { return };
    let mut labels = host.split('.');
    for name in ["service", "region"] {
        if let Some(label) = labels.next().filter(|_| !aws.contains_key(name)) {
            aws.insert(name.to_owned(), Value::String(label.to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lead_here_and_say_where_they_led() {
        let text = "[proxy]\nbase_url = \"https://${sub}.x.example/v1\"\nhosts = [\"y.example\"]\n\
            [verify]\nurl = \"${instance_url}/me?a=b\"\n\
            [oauth2]\nissuer = \"https://x.example\"\n";
        let file: Table =
            toml::from_str(&file(text, "http://127.0.0.1:1/twins/x").unwrap()).unwrap();
        let text = |table: &str, key: &str| file[table][key].as_str().unwrap().to_owned();
        assert_eq!(text("proxy", "base_url"), "http://127.0.0.1:1/twins/x/${sub}.x.example/v1");
        assert_eq!(text("verify", "url"), "http://127.0.0.1:1/twins/x/${instance_url}/me?a=b");
        assert_eq!(text("oauth2", "issuer"), "https://x.example");
        assert!(file["proxy"].get("hosts").is_none());
    }
}
