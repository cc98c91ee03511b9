//! Query strings of the API.

use grantkeep::query::{LIMIT_DEFAULT, LIMIT_MAX, Query};
use grantkeep::scope::Scopes;

const NAMES: [&str; 4] = ["limit", "external_user_id", "include_credentials", "q"];

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let query = Query::parse(text);
    for name in NAMES {
        let all: Vec<&str> = query.all(name).collect();
        match query.one(name) {
            Ok(Some(value)) => assert!(!value.is_empty() && all.iter().all(|it| *it == value)),
            Ok(None) => assert!(all.iter().all(|it| it.is_empty())),
            Err(error) => assert!(all.len() > 1 && error.kind().status == 400),
        }
        match query.flag(name) {
            Ok(Some(on)) => {
                let words = if on { ["true", "1"] } else { ["false", "0"] };
                assert!(words.contains(&all[0]));
            }
            Ok(None) => assert!(query.one(name).is_ok_and(|it| it.is_none())),
            Err(error) => assert_eq!(error.kind().code, "invalid_parameter"),
        }
    }
    match query.limit() {
        Ok(limit) => assert!((1..=LIMIT_MAX).contains(&limit)),
        Err(error) => assert!([400].contains(&error.kind().status)),
    }
    if query.all("limit").next().is_none() {
        assert_eq!(query.limit().ok(), Some(LIMIT_DEFAULT));
    }
    // Scopes come in a query of words too: what is read is said in the same words again.
    if let Some(scopes) = query.all("scope").next().and_then(Scopes::parse) {
        let again = Scopes::parse(&scopes.to_string());
        assert!(again.is_some_and(|it| it.within(&scopes) && scopes.within(&it)));
    }
}
