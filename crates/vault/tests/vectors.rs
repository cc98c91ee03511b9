//! Known answers: the primitive against Wycheproof and the NIST cases, the byte layout against an
//! independent implementation (`vectors/make.py`).
#![allow(clippy::unwrap_used)]

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use grantkeep_vault::{Keyring, Owner, Place, RootKey, owner_key_id_of};
use serde_json::Value;

fn cases(text: &str) -> Vec<Value> {
    serde_json::from_str(text).unwrap()
}

fn text<'a>(case: &'a Value, name: &str) -> &'a str {
    case[name].as_str().unwrap()
}

fn bytes(case: &Value, name: &str) -> Vec<u8> {
    unhex(text(case, name))
}

fn unhex(text: &str) -> Vec<u8> {
    let pair = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(pair).collect()
}

fn open(key: &[u8], nonce: &[u8], aad: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let key = RandomizedNonceKey::new(&AES_256_GCM, key).unwrap();
    let nonce = Nonce::try_assume_unique_for_key(nonce).unwrap();
    let mut sealed = sealed.to_vec();
    let plain = key.open_in_place(nonce, Aad::from(aad), &mut sealed).ok()?;
    Some(plain.to_vec())
}

/// The cases of <https://github.com/C2SP/wycheproof> (Apache-2.0) for 256-bit keys, 96-bit nonces
/// and 128-bit tags: the only sizes used here.
#[test]
fn v_12_wycheproof_aes_256_gcm() {
    let cases = cases(include_str!("vectors/wycheproof_aes_256_gcm.json"));
    assert!(cases.len() > 60, "{}", cases.len());
    for case in &cases {
        let sealed = [bytes(case, "ct"), bytes(case, "tag")].concat();
        let [key, nonce, aad] = ["key", "iv", "aad"].map(|name| bytes(case, name));
        let expected = (text(case, "result") == "valid").then(|| bytes(case, "msg"));
        assert_eq!(open(&key, &nonce, &aad, &sealed), expected, "{case}");
    }
}

/// Test cases 13 to 16 of the GCM specification that NIST SP 800-38D adopted.
#[test]
fn v_12_nist_aes_256_gcm() {
    let plain = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72\
        1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255";
    let sealed = "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa\
        8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad";
    let key = "feffe9928665731c6d6a8f9467308308".repeat(2);
    let zeros = "00".repeat(32);
    let (zero_nonce, nonce) = ("00".repeat(12), "cafebabefacedbaddecaf888".to_owned());
    let aad = "feedfacedeadbeeffeedfacedeadbeefabaddad2";
    for (key, nonce, aad, sealed, plain) in [
        (&zeros, &zero_nonce, "", "530f8afbc74536b9a963b4f1c4cb738b".to_owned(), ""),
        (
            &zeros,
            &zero_nonce,
            "",
            "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919".to_owned(),
            &zeros[..32],
        ),
        (&key, &nonce, "", format!("{sealed}b094dac5d93471bdec1a502270e3cc6c"), plain),
        (
            &key,
            &nonce,
            aad,
            format!("{}76fc6ece0f4e1768cddf8853bb2d551b", &sealed[..120]),
            &plain[..120],
        ),
    ] {
        let opened = open(&unhex(key), &unhex(nonce), &unhex(aad), &unhex(&sealed));
        assert_eq!(opened, Some(unhex(plain)), "{sealed}");
    }
}

#[test]
fn v_12_what_another_implementation_sealed_opens_here() {
    let cases = cases(include_str!("vectors/sealed.json"));
    assert_eq!(cases.len(), 4);
    for case in &cases {
        let root = RootKey::parse(text(case, "root")).unwrap();
        assert_eq!(root.id().to_string(), text(case, "root_id"));
        let owner = &case["owner"];
        let project = text(owner, "project");
        let (environment, id) = (text(owner, "environment"), text(owner, "id"));
        let owner = match owner["kind"].as_u64() {
            Some(1) => Owner::User { project, environment, id },
            _ => Owner::Project { project },
        };
        let keyring = Keyring::new(root, vec![]);
        let key = keyring.unwrap(&bytes(case, "wrapped"), &owner).unwrap();
        assert_eq!(key.id().to_string(), text(case, "owner_key_id"));
        let place = &case["place"];
        let place = Place {
            project: text(place, "project"),
            environment: text(place, "environment"),
            table: text(place, "table"),
            record: text(place, "record"),
            column: text(place, "column"),
            version: place["version"].as_i64().unwrap(),
        };
        let sealed = bytes(case, "sealed");
        assert_eq!(owner_key_id_of(&sealed).unwrap(), key.id());
        assert_eq!(key.open(&place, &sealed).unwrap().expose(), bytes(case, "plain"));
        // The sizes in the documentation hold in both directions.
        assert_eq!(bytes(case, "wrapped").len(), keyring.new_owner_key(&owner).1.len());
        assert_eq!(sealed.len(), key.seal(&place, &bytes(case, "plain")).len());
    }
}
