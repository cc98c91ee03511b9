use super::samples::{self, *};
use super::*;

fn read(text: &str) -> Result<SigningKey, KeyError> {
    SigningKey::read(&Secret::new(text))
}

fn members(json: &str) -> Map<String, Value> {
    serde_json::from_str(json).unwrap()
}

#[test]
fn the_same_key_in_every_form_in_which_keys_are_given() {
    let copied = RSA_PKCS8.replace('\n', "\\n");
    let windows = RSA_PKCS1.replace('\n', "\r\n");
    let params = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
    let with_params = format!("{params}{P256_SEC1}");
    let mislabelled = RSA_PKCS1.replace("RSA PRIVATE", "PRIVATE");
    for (jwk, texts) in [
        (RSA_JWK, vec![RSA_PKCS8, RSA_PKCS1, &copied, &windows, &mislabelled]),
        (P256_JWK, vec![P256_PKCS8, P256_SEC1, &with_params]),
        (P384_JWK, vec![P384_PKCS8]),
        (ED25519_JWK, vec![ED25519_PKCS8]),
    ] {
        let expected = read(jwk).unwrap().public_jwk().unwrap();
        let mut given = members(jwk);
        given.retain(|name, _| expected.contains_key(name));
        assert_eq!(given, expected);
        for text in texts {
            assert_eq!(read(text).unwrap().public_jwk().unwrap(), expected, "{text}");
        }
    }
}

#[test]
fn what_is_no_usable_private_key_is_told_apart() {
    let short = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let encrypted = P256_PKCS8.replace("PRIVATE", "ENCRYPTED PRIVATE");
    let legacy = RSA_PKCS1.replacen("-----\n", "-----\nProc-Type: 4,ENCRYPTED\n\n", 1);
    let public = P256_PKCS8.replace("PRIVATE", "PUBLIC");
    let certificate = P256_PKCS8.replace("PRIVATE KEY", "CERTIFICATE");
    let other_end = P256_PKCS8.replace("END PRIVATE", "END RSA PRIVATE");
    let wrong_point = P256_JWK.replace("x_FEz", "x_FEy");
    let short_number = P256_JWK.replace("\"jpsQ", "\"");
    let crippled = RSA_JWK.replace("\"qi\"", "\"iq\"");
    let other_curve = P256_JWK.replace("P-256", "P-521");
    let more_primes = RSA_JWK.replace("\"kty\"", "\"oth\":[],\"kty\"");
    let long = "-".repeat(KEY_BYTES_MAX + 1);
    for (text, expected) in [
        ("", KeyError::NotKey),
        ("secret", KeyError::NotKey),
        ("{", KeyError::NotKey),
        ("{}", KeyError::Member("kty")),
        (r#"{"kty":"oct","k":"AAAA"}"#, KeyError::Unsupported),
        (r#"{"kty":"RSA","n":"AAAA","e":"AQAB"}"#, KeyError::Public),
        (short, KeyError::Unsupported),
        (&encrypted, KeyError::Encrypted),
        (&legacy, KeyError::Encrypted),
        (&public, KeyError::Public),
        (&certificate, KeyError::Public),
        (&other_end, KeyError::NotKey),
        (&wrong_point, KeyError::Unsupported),
        (&short_number, KeyError::Unsupported),
        (&crippled, KeyError::Member("qi")),
        (&other_curve, KeyError::Unsupported),
        (&more_primes, KeyError::Unsupported),
        (&long, KeyError::TooLong),
    ] {
        assert_eq!(read(text).unwrap_err(), expected, "{text}");
    }
}

#[test]
fn the_thumbprint_of_rfc_7638_section_3_1() {
    let jwk = members(concat!(
        r#"{"kty":"RSA","e":"AQAB","n":"#,
        "\"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_",
        "BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_F",
        "DW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4v",
        "MQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw\"}",
    ));
    assert_eq!(thumbprint(&jwk), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}

/// RFC 9449 §6.1, of the key in its §4.1; RFC 8037 §A.3.
#[test]
fn d_07_thumbprints_of_curves() {
    let jwk = members(
        r#"{"kty":"EC","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
        "y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA","crv":"P-256"}"#,
    );
    assert_eq!(thumbprint(&jwk), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    let expected = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";
    assert_eq!(samples::ed25519().thumbprint().unwrap(), expected);
}

#[test]
fn a_made_key_comes_back_from_its_pem() {
    let (key, pem) = SigningKey::generate().unwrap();
    assert!(pem.expose().starts_with("-----BEGIN PRIVATE KEY-----\n"));
    assert!(pem.expose().lines().all(|it| it.len() <= 64));
    let again = SigningKey::read(&pem).unwrap();
    assert_eq!(again.public_jwk().unwrap(), key.public_jwk().unwrap());
    let (other, _) = SigningKey::generate().unwrap();
    assert_ne!(other.thumbprint().unwrap(), key.thumbprint().unwrap());
}

#[test]
fn the_published_half_has_a_name_and_nothing_secret() {
    let key = read(&ED25519_JWK.replace("\"kty\"", "\"kid\":\"k1\",\"kty\"")).unwrap();
    let jwk = key.published_jwk().unwrap();
    let expected = r#"{"alg":"EdDSA","crv":"Ed25519","kid":"k1","kty":"OKP","use":"sig",
        "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    assert_eq!(jwk, members(expected));
    let jwk = samples::rsa().published_jwk().unwrap();
    assert_eq!(jwk["kid"], samples::rsa().thumbprint().unwrap());
    assert!(!jwk.contains_key("d") && !jwk.contains_key("alg"));
}

#[test]
fn v_05_debug_of_a_key_shows_none_of_it() {
    let shown = format!("{:?}", samples::p256().with_kid("k"));
    assert_eq!(shown, "SigningKey([Es256], kid Some(\"k\"))");
}

#[test]
fn a_key_signs_only_in_its_own_ways() {
    let keys = [samples::rsa(), samples::p256(), samples::p384(), samples::ed25519()];
    for key in &keys {
        for algorithm in Algorithm::ALL {
            let signed = key.sign(algorithm, b"x");
            let expected = key.algorithms().contains(&algorithm);
            assert_eq!(signed.is_ok(), expected, "{key:?} {algorithm:?}");
        }
    }
    for name in ["none", "None", "HS256", "rs256", ""] {
        assert_eq!(Algorithm::from_name(name), None);
    }
}

#[test]
fn thumbprints_of_a_certificate() {
    let pem = "-----BEGIN CERTIFICATE-----\nYWJj\n-----END CERTIFICATE-----\n";
    let (sha1, sha256) = certificate_thumbprints(pem).unwrap();
    // FIPS 180-2 §A.1 and §B.1: the digests of `abc`.
    assert_eq!(sha1, "qZk-NkcGgWq6PiVxeFDCbJzQ2J0");
    assert_eq!(sha256, "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0");
    assert_eq!(certificate_thumbprints(P256_PKCS8), Err(KeyError::NotKey));
}
