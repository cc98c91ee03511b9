//! Keys, judged by their form alone, before anything is looked up.

use grantkeep_vault::token::{digest, equal, verify_checksum};

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if !verify_checksum(text) {
        return;
    }
    assert!(text.is_ascii() && text.len() <= 256 && text.contains('_'));
    for at in 0..text.len() {
        let mut other = text.as_bytes().to_vec();
        other[at] = if other[at] == b'A' { b'B' } else { b'A' };
        let other = String::from_utf8(other).expect("it is ASCII");
        assert!(!verify_checksum(&other), "a changed character is not seen at {at}");
        assert!(!equal(&digest(text), &digest(&other)));
    }
    assert!(!verify_checksum(&text[1..]) && !verify_checksum(&text[..text.len() - 1]));
}
