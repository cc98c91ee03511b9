//! Query strings, read strictly: a parameter sent twice with two meanings is refused, not guessed
//! at.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::error::{self, Error, Result};

/// Items on a page when the caller does not say.
pub const LIMIT_DEFAULT: i64 = 10;
/// Items on a page at most.
pub const LIMIT_MAX: i64 = 100;

/// All parameters in order, decoded.
pub struct Query(Vec<(String, String)>);

impl Query {
    pub fn parse(text: &str) -> Self {
        Self(url::form_urlencoded::parse(text.as_bytes()).into_owned().collect())
    }

    /// The one value of `name`; an empty one counts as absent.
    ///
    /// # Errors
    /// [`error::INVALID_PARAMETER`] when it is given twice with different values.
    pub fn one<'a>(&'a self, name: &'a str) -> Result<Option<&'a str>> {
        let mut values = self.all(name);
        let first = values.next();
        if values.any(|value| Some(value) != first) {
            return Err(bad(name, "It is given twice with different values."));
        }
        Ok(first.filter(|value| !value.is_empty()))
    }

    /// The one value of `name` where its absence stands for everything: an empty one, which is what
    /// became of a name that was lost on the way, is refused.
    ///
    /// # Errors
    /// [`error::INVALID_PARAMETER`] for that, and as for [`Query::one`].
    pub fn narrowing<'a>(&'a self, name: &'a str) -> Result<Option<&'a str>> {
        if self.all(name).any(str::is_empty) {
            return Err(bad(name, "It is empty. Leave it out to mean everything."));
        }
        self.one(name)
    }

    /// All values of `name`, also as `name[]` and in camel case: a narrowing that is overlooked for
    /// its spelling would widen what is asked for.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| means(key, name)).map(|(_, value)| value.as_str())
    }

    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// `true` or `false`, or `1` or `0` as older clients send.
    pub fn flag(&self, name: &str) -> Result<Option<bool>> {
        match self.one(name)? {
            None => Ok(None),
            Some("true" | "1") => Ok(Some(true)),
            Some("false" | "0") => Ok(Some(false)),
            Some(_) => Err(bad(name, "It must be `true` or `false`.")),
        }
    }

    /// How many items to give: 1 to [`LIMIT_MAX`].
    pub fn limit(&self) -> Result<i64> {
        match self.one("limit")? {
            None => Ok(LIMIT_DEFAULT),
            Some(text) => text
                .parse()
                .ok()
                .filter(|limit| (1..=LIMIT_MAX).contains(limit))
                .ok_or_else(|| error::INVALID_LIMIT.into()),
        }
    }
}

fn means(key: &str, name: &str) -> bool {
    let key = key.strip_suffix("[]").unwrap_or(key);
    let in_camel_case = || {
        let mut chars = key.chars();
        let mut same = |c: char| chars.next() == Some(c);
        let mut parts = name.split('_');
        parts.next().is_some_and(|first| first.chars().all(&mut same))
            && parts.all(|it| {
                let upper = it.chars().take(1).map(|c| c.to_ascii_uppercase());
                upper.chain(it.chars().skip(1)).all(&mut same)
            })
            && chars.next().is_none()
    };
    key == name || in_camel_case()
}

fn bad(name: &str, why: &str) -> Error {
    error::INVALID_PARAMETER.saying(format!("The query parameter `{name}` cannot be used. {why}"))
}

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::parse(parts.uri.query().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrowing_that_was_lost_does_not_widen() {
        let narrowing = |text| {
            let query = Query::parse(text);
            let found = query.narrowing("x").map(|it| it.map(str::to_owned));
            found.map_err(|error| error.kind().code)
        };
        assert_eq!(narrowing("y="), Ok(None));
        assert_eq!(narrowing("x=a"), Ok(Some("a".to_owned())));
        assert_eq!(narrowing("x="), Err("invalid_parameter"));
        assert_eq!(narrowing("x=&x="), Err("invalid_parameter"));
    }

    #[test]
    fn a_name_is_known_in_each_spelling_that_clients_write() {
        let one = |text| Query::parse(text).one("external_user_id").map(|it| it.map(str::to_owned));
        for text in ["external_user_id=a", "externalUserId=a", "external_user_id[]=a"] {
            assert_eq!(one(text).unwrap().as_deref(), Some("a"), "{text}");
        }
        for text in ["externaluserid=a", "externalUserIds=a", "externalUser=a", "external[]=a"] {
            assert_eq!(one(text).unwrap(), None, "{text}");
        }
        assert!(one("external_user_id=a&externalUserId=b").is_err());
    }

    #[test]
    fn row_53_flags_have_one_meaning() {
        let flag = |text| Query::parse(text).flag("x").map_err(|error| error.kind().code);
        assert_eq!(flag(""), Ok(None));
        assert_eq!(flag("x=true&x=true"), Ok(Some(true)));
        assert_eq!(flag("x=1"), Ok(Some(true)));
        for text in ["x=TRUE", "x=true&x=false", "x=yes"] {
            assert_eq!(flag(text), Err("invalid_parameter"), "{text}");
        }
    }

    #[test]
    fn row_54_limits_outside_1_to_100_are_refused() {
        let limit = |text| Query::parse(text).limit().map_err(|error| error.kind().code);
        assert_eq!(limit(""), Ok(10));
        assert_eq!(limit("limit=100"), Ok(100));
        for text in
            ["limit=0", "limit=-1", "limit=101", "limit=1000000000", "limit=ten", "limit=1.5"]
        {
            assert_eq!(limit(text), Err("invalid_limit"), "{text}");
        }
    }
}
