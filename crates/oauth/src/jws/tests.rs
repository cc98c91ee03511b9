use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};

use super::*;
use crate::key::samples;

pub fn decoded(text: &str) -> Vec<u8> {
    BASE64_URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// Verifies a JWT as a server would, from the public JWK alone, and gives header and claims.
pub fn read(key: &SigningKey, jwt: &str) -> (Value, Value) {
    let (input, signature) = jwt.rsplit_once('.').unwrap();
    let (header, claims) = input.split_once('.').unwrap();
    let [header, claims]: [Value; 2] =
        [header, claims].map(|it| serde_json::from_slice(&decoded(it)).unwrap());
    let alg = header["alg"].as_str().unwrap();
    verify(key, alg, input.as_bytes(), &decoded(signature));
    (header, claims)
}

fn verify(key: &SigningKey, alg: &str, input: &[u8], signature: &[u8]) {
    let jwk = key.public_jwk().unwrap();
    let number = |name: &str| decoded(jwk[name].as_str().unwrap());
    let bare = |with: &'static dyn VerificationAlgorithm, public: Vec<u8>| {
        UnparsedPublicKey::new(with, public).verify(input, signature).unwrap();
    };
    let point = || [vec![4], number("x"), number("y")].concat();
    let rsa = |with| {
        let public = RsaPublicKeyComponents { n: number("n"), e: number("e") };
        public.verify(with, input, signature).unwrap();
    };
    match alg {
        "RS256" => rsa(&RSA_PKCS1_2048_8192_SHA256),
        "PS256" => rsa(&RSA_PSS_2048_8192_SHA256),
        "ES256" => bare(&ECDSA_P256_SHA256_FIXED, point()),
        "ES384" => bare(&ECDSA_P384_SHA384_FIXED, point()),
        "EdDSA" => bare(&ED25519, number("x")),
        other => panic!("{other}"),
    }
}

const EXAMPLE: &str = "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \
    \"http://example.com/is_root\":true}";

#[test]
fn the_rs256_example_of_rfc_7515_section_a_2() {
    let input = input(r#"{"alg":"RS256"}"#, EXAMPLE);
    let signature = samples::rsa().sign(Algorithm::Rs256, input.as_bytes()).unwrap();
    let expected = concat!(
        "eyJhbGciOiJSUzI1NiJ9.",
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
        ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2F",
        "p5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBM",
        "Hlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2",
        "w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
    );
    assert_eq!(joined(input, &signature).expose(), expected);
}

/// The signature that the RFC shows is accepted by what the other tests verify with; ours differs
/// from it, since ECDSA is not deterministic.
#[test]
fn the_es256_example_of_rfc_7515_section_a_3() {
    let shown = decoded(
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    );
    let input = input(r#"{"alg":"ES256"}"#, EXAMPLE);
    verify(&samples::p256(), "ES256", input.as_bytes(), &shown);
    let ours = samples::p256().sign(Algorithm::Es256, input.as_bytes()).unwrap();
    assert_eq!(ours.len(), 64);
    verify(&samples::p256(), "ES256", input.as_bytes(), &ours);
}

#[test]
fn the_ed25519_example_of_rfc_8037_section_a_4() {
    let input = input(r#"{"alg":"EdDSA"}"#, "Example of Ed25519 signing");
    let signature = samples::ed25519().sign(Algorithm::EdDsa, input.as_bytes()).unwrap();
    let expected = concat!(
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.",
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
    );
    assert_eq!(joined(input, &signature).expose(), expected);
}

#[test]
fn every_algorithm_is_verified_from_the_public_key() {
    let claims = claims([("iss", Some("joe".into())), ("sub", None)]);
    for key in [samples::rsa(), samples::p256(), samples::p384(), samples::ed25519()] {
        for algorithm in key.algorithms() {
            let signing = Signing { algorithm: *algorithm, ..Signing::with(&key) };
            let (header, read) = read(&key, signing.jwt(None, &claims).unwrap().expose());
            assert_eq!(header, serde_json::json!({"alg": algorithm.as_str()}));
            assert_eq!(read, serde_json::json!({"iss": "joe"}));
        }
    }
}

#[test]
fn d_05_a_header_of_settings_cannot_change_the_algorithm() {
    let header = serde_json::json!({"alg": "none", "typ": "x", "kid": "other", "x5t": "t"});
    let key = samples::p256().with_kid("k");
    let signing = Signing { header: header.as_object(), ..Signing::with(&key) };
    let (header, _) = read(&key, signing.jwt(Some("JWT"), &Map::new()).unwrap().expose());
    let expected = serde_json::json!({"alg": "ES256", "typ": "JWT", "kid": "k", "x5t": "t"});
    assert_eq!(header, expected);
}
