//! The root key in the spellings that people use.

use grantkeep_vault::{RootKey, RootKeyError};

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match RootKey::parse(text) {
        Ok(key) => {
            let bare = text.trim();
            assert!(matches!(bare.len(), 43 | 44 | 64), "{} characters", bare.len());
            let same = |it: &str| RootKey::parse(it).map(|it| it.id()) == Ok(key.id());
            assert!(same(bare) && same(&format!("\n {bare} \r\n")));
            if bare.len() == 64 {
                assert!(same(&bare.to_ascii_uppercase()) && same(&bare.to_ascii_lowercase()));
            } else {
                assert!(same(&bare.replace('-', "+").replace('_', "/")));
                assert!(same(bare.trim_end_matches('=')));
            }
        }
        Err(RootKeyError::Length { bytes }) => assert_ne!(bytes, 32),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
