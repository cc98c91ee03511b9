//! Private keys as users paste them: PEM or JWK.

use grantkeep_oauth::Secret;
use grantkeep_oauth::key::SigningKey;

/// Members of a JWK that are for nobody else.
const SECRET: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(key) = SigningKey::read(&Secret::new(text)) else { return };
    let jwk = key.published_jwk().expect("what was read can be shown");
    assert!(SECRET.iter().all(|it| !jwk.contains_key(*it)), "the secret half is shown");
    assert_eq!(key.thumbprint().map(|it| it.len()), Ok(43));
    assert!(!key.algorithms().is_empty());
    let again = SigningKey::read(&Secret::new(text)).expect("it is read alike twice");
    assert_eq!(again.thumbprint(), key.thumbprint());
}
