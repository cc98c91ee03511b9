//! Every sentence of a made file: labels, descriptions, notes. Made from facts, taken from nobody.

use crate::facts::Facts;

/// Words that are written in their own way.
const SPELLED: &[(&str, &str)] = &[
    ("api", "API"),
    ("id", "ID"),
    ("url", "URL"),
    ("uri", "URI"),
    ("ssl", "SSL"),
    ("ssh", "SSH"),
    ("oauth", "OAuth"),
    ("sid", "SID"),
    ("ip", "IP"),
    ("tls", "TLS"),
    ("ca", "CA"),
    ("crm", "CRM"),
    ("uid", "UID"),
    ("jwt", "JWT"),
    ("pin", "PIN"),
    ("sms", "SMS"),
    ("arn", "ARN"),
    ("aws", "AWS"),
    ("ftp", "FTP"),
    ("sftp", "SFTP"),
    ("http", "HTTP"),
    ("json", "JSON"),
    ("guid", "GUID"),
    ("apikey", "API key"),
    ("baseurl", "Base URL"),
];

/// Category of the list to ours, and the noun phrase that a description uses.
const CATEGORIES: &[(&str, &str, &str)] = &[
    ("accounting", "Accounting", "accounting"),
    ("ai", "AI", "artificial intelligence"),
    ("analytics", "Analytics", "analytics"),
    ("cms", "CMS", "web content"),
    ("communication", "Communication", "communication"),
    ("crm", "CRM", "customer relations"),
    ("customer_support", "Customer Support", "customer support"),
    ("design", "Design", "design"),
    ("developer_tools", "Developer Tools", "software development"),
    ("ecommerce", "E-commerce", "selling online"),
    ("education", "Education", "education"),
    ("finance", "Finance", "finance"),
    ("forms", "Forms", "forms and surveys"),
    ("health", "Health", "health"),
    ("hr", "HR", "personnel"),
    ("iot", "IoT", "connected devices"),
    ("legal", "Legal", "legal work"),
    ("marketing", "Marketing", "marketing"),
    ("media", "Media", "pictures, sound and video"),
    ("productivity", "Productivity", "everyday work"),
    ("security", "Security", "security"),
    ("social", "Social", "communities"),
    ("storage", "Storage", "files and data"),
    ("travel_location", "Travel & Location", "travel and places"),
];

fn known(
    facts: &Facts,
) -> impl Iterator<Item = &'static (&'static str, &'static str, &'static str)> {
    facts.categories.iter().filter_map(|it| CATEGORIES.iter().find(|(name, ..)| name == it))
}

pub(crate) fn categories(facts: &Facts) -> Vec<&'static str> {
    known(facts).map(|(_, name, _)| *name).collect()
}

pub(crate) fn description(facts: &Facts) -> String {
    let topics: Vec<&str> = known(facts).map(|(.., topic)| *topic).take(2).collect();
    let place = domain(facts).map(|it| format!(" at {it}")).unwrap_or_default();
    match topics.as_slice() {
        [] => {
            let way = match facts.auth.kind.as_str() {
                "oauth2" | "oauth1" => "connected by signing in there",
                "basic" => "reached with a name and a password",
                "none" => "open to everybody",
                _ => "reached with a key",
            };
            format!("{}{place}, {way}.", facts.name)
        }
        [one] => format!("A service for {one}{place}."),
        [one, two, ..] if two.contains(" and ") || one.contains(" and ") => {
            format!("A service for {one}{place}.")
        }
        [one, two, ..] => format!("A service for {one} and {two}{place}."),
    }
}

/// The home page, where it is listed, or guessed from a host that bears the app's name.
pub(crate) fn homepage(facts: &Facts) -> Option<String> {
    domain(facts).and_then(|_| facts.homepage.clone())
}

fn domain(facts: &Facts) -> Option<&str> {
    let domain = facts.domain.as_deref()?;
    if facts.homepage_source.as_deref() == Some("listed") {
        return Some(domain);
    }
    let letters = |text: &str| {
        text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase()
    };
    let label = letters(domain.split('.').next()?);
    let named = |name: &str| {
        let name = letters(name);
        name.len() >= 3 && (label.contains(&name) || name.contains(&label) && label.len() >= 3)
    };
    // Where a placeholder stood at the end of the host, the guess has letters too many.
    let urls = [&facts.proxy.base_url, &facts.auth.token_url, &facts.auth.authorization_url];
    let whole = urls.into_iter().flatten().any(|it| {
        let host = it.split("://").last().unwrap_or_default().split(['/', '?']).next();
        host.is_some_and(|it| it == domain || it.ends_with(&format!(".{domain}")))
    });
    (whole && (named(&facts.slug) || named(&facts.name))).then_some(domain)
}

/// Follows "You let {product}".
pub(crate) fn purpose(facts: &Facts) -> String {
    match facts.auth.kind.as_str() {
        "oauth2" | "oauth1" => format!("use {} in your name", facts.name),
        "none" => format!("use {}", facts.name),
        "client_credentials" => format!("use {} with a client of your own", facts.name),
        _ => format!("use {} with the credentials that you enter", facts.name),
    }
}

/// `api_key` to `API key`.
pub(crate) fn label(name: &str) -> String {
    let words: Vec<String> = name
        .split('_')
        .filter(|it| !it.is_empty())
        .enumerate()
        .map(|(at, word)| match SPELLED.iter().find(|(it, _)| *it == word) {
            Some((_, spelled)) => (*spelled).to_owned(),
            None if at == 0 => capital(word),
            None => word.to_owned(),
        })
        .collect();
    words.join(" ")
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |it| it.to_uppercase().chain(letters).collect())
}

/// Where a user finds a value. Nobody has said so exactly; a settings page is where to begin.
pub(crate) fn help(name: &str, secret: bool, app: &str) -> Option<String> {
    let own = |words: &[&str]| words.iter().any(|it| name.contains(it));
    if own(&["password", "passphrase"]) {
        Some(format!("The one that belongs to your {app} account, or one made for other programs."))
    } else if own(&["private_key", "cert"]) {
        Some("The whole text, with its first and last line.".to_owned())
    } else if secret {
        Some(format!("You find it, or make one, in the settings of your {app} account."))
    } else {
        None
    }
}

/// What a connection cannot do or nobody has confirmed, for the next person who looks.
pub(crate) fn notes(facts: &Facts) -> Vec<String> {
    let mut notes = Vec::new();
    if facts.status == "recalled" {
        notes.push("The addresses are from memory; no list confirms them.".to_owned());
    }
    match facts.confirmed_by.as_deref() {
        Some("family") => {
            notes.push("Confirmed for other apps with the same way to sign in.".to_owned());
        }
        Some("server") => {
            notes.push("Confirmed for another app at the same authorization server.".to_owned());
        }
        _ => {}
    }
    let listed = facts.homepage_source.as_deref() == Some("listed");
    if !listed && homepage(facts).is_some() {
        notes.push("The home page is guessed from the API's host.".to_owned());
    }
    let oauth = facts.auth.kind == "oauth2";
    if oauth && facts.auth.token_request_auth_assumed {
        notes.push("No list says how the client proves itself; `post` is assumed.".to_owned());
    }
    if facts.auth.kind != "none" && facts.fields.iter().any(|it| it.assumed) {
        notes.push("The names of the fields are assumed.".to_owned());
    }
    for conflict in facts.conflicts.iter().take(3) {
        let short = |it: &&str| it.len() <= 160 && !it.contains('\n');
        let plain = conflict.field != "key placement";
        let value = conflict.value.as_str().filter(short).filter(|_| plain);
        let what = about(&conflict.field);
        notes.push(match value {
            Some(value) => format!("Sources disagree on {what}; another says {value}"),
            None => format!("Sources disagree on {what}."),
        });
    }
    let mut others: Vec<&str> = facts.alternatives.iter().filter_map(|it| way(&it.kind)).collect();
    others.sort_unstable();
    others.dedup();
    if !others.is_empty() {
        notes.push(format!("Other ways in are known: {}.", others.join(", ")));
    }
    notes
}

fn about(field: &str) -> &str {
    match field {
        "token_url" => "the token URL",
        "authorization_url" => "the authorization URL",
        "key placement" => "where the key goes",
        "base_host" => "the API's host",
        "token_request_auth" => "how the client proves itself",
        "scope_separator" => "what stands between scopes",
        _ => "a detail",
    }
}

fn way(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "oauth2" => "OAuth 2",
        "oauth1" => "OAuth 1.0a",
        "api_key" => "a key",
        "basic" => "a name and password",
        "client_credentials" => "client credentials",
        _ => return None,
    })
}
