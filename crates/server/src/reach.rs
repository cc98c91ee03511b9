//! Which calls to apps a caller may make through the proxy: by method, host and path.

use std::fmt;

use axum::http::Method;

/// Rules of one caller.
const RULES_MAX: usize = 50;
/// Characters of one rule.
const RULE_CHARS_MAX: usize = 500;
/// What some servers take for a slash, a dot or the end of a segment. Where it stands in a path,
/// nobody can say which path the app will see.
const UNCLEAR: [&str; 6] = ["%2f", "%5c", "%2e", "%25", ";", "//"];

/// All that a caller may ask for. Empty: nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach(Vec<Rule>);

/// `GET,POST api.example.com/v1/*`: methods or `*`; a host, `*.example.com` or `*`; a path, or its
/// beginning before a star at its end, or none for every path.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    /// Empty: every method.
    methods: Vec<Method>,
    host: Host,
    path: Path,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    Any,
    Under(String),
    Exactly(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Path {
    Any,
    Beginning(String),
    Exactly(String),
}

impl Reach {
    /// Reads rules. The error says what is wrong with which.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let rules: Vec<Rule> = texts
            .into_iter()
            .map(|text| Rule::parse(text).map_err(|why| format!("The rule `{text}` {why}")))
            .collect::<Result<_, _>>()?;
        if rules.len() > RULES_MAX {
            return Err(format!("There are more than {RULES_MAX} rules."));
        }
        Ok(Self(rules))
    }

    /// What `to_string` made. What cannot be read allows nothing.
    pub fn stored(text: &str) -> Self {
        Self::parse(text.lines()).unwrap_or_default()
    }

    /// Each rule as a text.
    pub fn lines(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }

    pub fn allows(&self, method: &Method, host: &str, path: &str) -> bool {
        self.0.iter().any(|it| it.allows(method, host, path))
    }
}

impl Rule {
    fn parse(text: &str) -> Result<Self, &'static str> {
        const FORM: &str = "is not METHODS HOST/PATH, such as `GET api.example.com/v1/*`.";
        if text.len() > RULE_CHARS_MAX {
            return Err("is too long.");
        }
        let (methods, rest) = text.trim().split_once(' ').ok_or(FORM)?;
        let rest = rest.trim();
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        Ok(Self {
            methods: parse_methods(methods)?,
            host: Host::parse(host)?,
            path: path_of(path)?,
        })
    }

    fn allows(&self, method: &Method, host: &str, path: &str) -> bool {
        (self.methods.is_empty() || self.methods.contains(method))
            && self.host.holds(host)
            && self.path.holds(path)
    }
}

fn parse_methods(text: &str) -> Result<Vec<Method>, &'static str> {
    if text == "*" {
        return Ok(Vec::new());
    }
    let known = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    let find = |name: &str| known.iter().find(|it| it.as_str() == name).cloned();
    let found: Option<Vec<Method>> = text.split(',').map(find).collect();
    found.ok_or("names other methods than GET, POST, PUT, PATCH and DELETE.")
}

fn path_of(text: &str) -> Result<Path, &'static str> {
    let plain = |it: &str| it.bytes().all(|it| it.is_ascii_graphic() && !b"*?#".contains(&it));
    match (text, text.strip_suffix('*')) {
        ("" | "/*", _) => Ok(Path::Any),
        (_, Some(beginning)) if plain(beginning) => Ok(Path::Beginning(beginning.to_owned())),
        (path, None) if plain(path) => Ok(Path::Exactly(path.to_owned())),
        _ => Err("has a star elsewhere than at the path's end, or a character of no path."),
    }
}

impl Host {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let name = text.strip_prefix("*.").unwrap_or(text);
        let fits = |it: u8| it.is_ascii_alphanumeric() || b".-_:[]".contains(&it);
        if text == "*" {
            return Ok(Self::Any);
        }
        if name.is_empty() || !name.bytes().all(fits) {
            return Err("names no host.");
        }
        let name = name.to_ascii_lowercase();
        Ok(if text.starts_with("*.") { Self::Under(name) } else { Self::Exactly(name) })
    }

    fn holds(&self, host: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exactly(name) => name == host,
            Self::Under(name) => host.strip_suffix(name).is_some_and(|it| it.ends_with('.')),
        }
    }
}

impl Path {
    fn holds(&self, path: &str) -> bool {
        let clear = || {
            let path = path.to_ascii_lowercase();
            !UNCLEAR.iter().any(|it| path.contains(it))
        };
        match self {
            Self::Any => true,
            Self::Beginning(beginning) => path.starts_with(beginning) && clear(),
            Self::Exactly(exactly) => path == exactly && clear(),
        }
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, rule) in self.0.iter().enumerate() {
            if nth > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{rule}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let methods: Vec<&str> = self.methods.iter().map(Method::as_str).collect();
        let methods = if methods.is_empty() { "*".to_owned() } else { methods.join(",") };
        let (star, host) = match &self.host {
            Host::Any => ("*", ""),
            Host::Under(name) => ("*.", name.as_str()),
            Host::Exactly(name) => ("", name.as_str()),
        };
        let (path, end) = match &self.path {
            Path::Any => ("/", "*"),
            Path::Beginning(path) => (path.as_str(), "*"),
            Path::Exactly(path) => (path.as_str(), ""),
        };
        write!(f, "{methods} {star}{host}{path}{end}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(rules: &[&str]) -> Reach {
        Reach::parse(rules.iter().copied()).unwrap()
    }

    #[test]
    fn a_rule_is_methods_a_host_and_a_path() {
        let rules = reach(&["GET,POST api.x.com/v1/*", "* *.y.com", "DELETE z.com/only"]);
        let allows = |method: &str, host: &str, path: &str| {
            rules.allows(&Method::from_bytes(method.as_bytes()).unwrap(), host, path)
        };
        assert!(allows("GET", "api.x.com", "/v1/") && allows("POST", "api.x.com", "/v1/a/b"));
        assert!(!allows("PUT", "api.x.com", "/v1/a") && !allows("GET", "api.x.com", "/v2/a"));
        assert!(!allows("GET", "x.com", "/v1/a") && !allows("GET", "evil-api.x.com", "/v1/a"));
        assert!(allows("PATCH", "a.y.com", "/") && !allows("PATCH", "y.com", "/"));
        assert!(!allows("GET", "evily.com", "/"));
        assert!(allows("DELETE", "z.com", "/only") && !allows("DELETE", "z.com", "/only/"));
        assert!(!Reach::default().allows(&Method::GET, "z.com", "/"));
        let text = rules.to_string();
        assert_eq!(text, "GET,POST api.x.com/v1/*\n* *.y.com/*\nDELETE z.com/only");
        assert_eq!(Reach::stored(&text), rules);
        assert_eq!(Reach::stored("broken"), Reach::default());
    }

    #[test]
    fn p_14_no_spelling_climbs_out_of_a_rules_path() {
        let rules = reach(&["GET api.x.com/v1/public/*"]);
        for path in [
            "/v1/public/..%2fadmin",
            "/v1/public/%2e%2e/admin",
            "/v1/public/%252e%252e/admin",
            "/v1/public/..;/admin",
            "/v1/public//admin",
            "/v1/public/..%5Cadmin",
            "/v1/publicadmin",
        ] {
            assert!(!rules.allows(&Method::GET, "api.x.com", path), "{path}");
        }
    }

    #[test]
    fn what_is_no_rule_is_said() {
        for text in
            ["", "GET", "get api.x.com", "TRACE x.com/", "GET x.com/a*b", "GET /v1", "GET x y"]
        {
            assert!(Reach::parse([text]).is_err(), "{text}");
        }
        let many: Vec<String> = (0..=RULES_MAX).map(|it| format!("GET x{it}.com")).collect();
        assert!(Reach::parse(many.iter().map(String::as_str)).is_err());
    }
}
