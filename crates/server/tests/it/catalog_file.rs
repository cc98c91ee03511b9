//! A catalogue in a signed file, by the command line.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tempfile::TempDir;

const APP: &str = r#"slug = "parcels"
name = "Parcels"
description = "Parcels, tracked."
homepage = "https://parcels.example.com"
categories = ["E-commerce"]
popularity = 10
purpose = "see your parcels"
auth = "keys"

[[fields]]
name = "api_key"
label = "API key"
kind = "password"

[proxy]
base_url = "https://api.parcels.example.com"

[proxy.headers]
authorization = "Bearer ${api_key}"

[evidence]
confirmed = 1
checked_on = "2026-11-22"
"#;

fn grantkeep(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_grantkeep"));
    command.args(arguments).current_dir(folder).env_clear().output().unwrap()
}

fn told(output: &Output) -> String {
    let both = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8_lossy(&both).into_owned()
}

/// A folder with a key, an app and the packed file; and the public key.
fn packed() -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let key = Ed25519KeyPair::generate_pkcs8(&aws_lc_rs::rand::SystemRandom::new()).unwrap();
    let pem = BASE64_STANDARD.encode(key.as_ref());
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{pem}\n-----END PRIVATE KEY-----\n");
    fs::write(folder.path().join("key.pem"), pem).unwrap();
    fs::create_dir(folder.path().join("apps")).unwrap();
    fs::write(folder.path().join("apps/parcels.toml"), APP).unwrap();
    let pack = ["catalog", "pack", "--from", "apps", "--out", "new.gkc", "--key", "key.pem"];
    let output = grantkeep(folder.path(), &[&pack[..], &["--json"]].concat());
    assert!(output.status.success(), "{}", told(&output));
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["apps"], 1);
    (folder, answer["public_key"].as_str().unwrap().to_owned())
}

#[test]
fn a_packed_app_is_found_once_its_signature_is_right() {
    let (folder, key) = packed();
    let verify = |key: &str| {
        grantkeep(folder.path(), &["catalog", "verify", "new.gkc", "--public-key", key])
    };
    assert!(told(&verify(&key)).contains("good: 1 app(s), made on 2"), "{}", told(&verify(&key)));
    let unknown = grantkeep(folder.path(), &["apps", "show", "parcels"]);
    assert!(!unknown.status.success());
    let settings = format!("catalog_file = \"new.gkc\"\ncatalog_public_keys = \"{key}\"\n");
    fs::write(folder.path().join("grantkeep.toml"), settings).unwrap();
    let known = grantkeep(folder.path(), &["apps", "show", "parcels"]);
    assert!(told(&known).contains("Parcels, tracked."), "{}", told(&known));
    // As `openssl pkey -pubout` writes the key.
    let head = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0];
    let bare = BASE64_STANDARD.decode(&key).unwrap();
    let wrapped = BASE64_STANDARD.encode([&head[..], &bare].concat());
    assert!(verify(&wrapped).status.success(), "{}", told(&verify(&wrapped)));
}

#[test]
fn nothing_starts_with_a_file_that_nobody_signed() {
    let (folder, key) = packed();
    let good = fs::read(folder.path().join("new.gkc")).unwrap();
    let other = BASE64_STANDARD.encode([7; 32]);
    let changed = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    let last = good.len() - 1;
    for (bytes, keys, why) in [
        (good.clone(), "", "catalog_public_keys"),
        (good.clone(), other.as_str(), "no signature by one of"),
        (good.clone(), "not-a-key", "no Ed25519 public key"),
        (changed(0), &key, "no signed catalogue"),
        (changed(8), &key, "format 0"),
        (changed(12), &key, "no signature by one of"),
        (changed(good.len() / 2), &key, "no signature by one of"),
        (changed(last), &key, "no signature by one of"),
        (good[..last].to_vec(), &key, "no signature by one of"),
        (good[..40].to_vec(), &key, "no signed catalogue"),
        (APP.into(), &key, "no signed catalogue"),
    ] {
        fs::write(folder.path().join("new.gkc"), bytes).unwrap();
        let settings = format!("catalog_file = \"new.gkc\"\ncatalog_public_keys = \"{keys}\"\n");
        fs::write(folder.path().join("grantkeep.toml"), settings).unwrap();
        let output = grantkeep(folder.path(), &["apps", "list"]);
        assert_eq!(output.status.code(), Some(3), "{why}: {}", told(&output));
        assert!(told(&output).contains(why), "{why}: {}", told(&output));
    }
}
