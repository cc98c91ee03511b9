//! `WWW-Authenticate` of a resource, one header a line.

use grantkeep_oauth::challenge::read;

use super::assert_message;

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let all = read(text.split('\n'));
    assert!(all.len() <= 16, "{} challenges", all.len());
    for it in &all {
        let is_name = |it: &str| !it.is_empty() && !it.bytes().any(|it| it.is_ascii_uppercase());
        assert!(is_name(&it.scheme), "{:?}", it.scheme);
        for (name, value) in &it.params {
            assert!(is_name(name), "{name:?}");
            assert!(!value.chars().any(|it| it.is_control() && it != '\t'), "{value:?}");
        }
        it.error().iter().for_each(|it| assert_message(it, 64));
        assert!(it.scopes().iter().all(|it| !it.is_empty()));
    }
    // Headers do not run into each other: alone, each says the same.
    if all.len() < 16 {
        let alone: Vec<_> = text.split('\n').flat_map(|it| read([it])).collect();
        assert_eq!(alone, all);
    }
}
