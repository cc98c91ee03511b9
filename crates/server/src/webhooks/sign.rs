//! Signatures: those of Standard Webhooks 1.0, and those that older clients know.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use grantkeep_vault::{Secret, token};

/// What every signing secret begins with; the base64 of its bytes follows.
pub(super) const PREFIX: &str = "whsec_";
/// Random bytes in a secret. Standard Webhooks wants 24 to 64.
const SECRET_BYTES: usize = 32;

pub(super) fn fresh_secret() -> Secret {
    token::base64(PREFIX, SECRET_BYTES)
}

/// `webhook-signature`: one for each secret, so that a receiver may know either during a change.
/// `None` when a secret is not of the form of [`fresh_secret`].
pub(super) fn standard(secrets: &[Secret], id: &str, at_s: i64, body: &[u8]) -> Option<String> {
    let signed = [format!("{id}.{at_s}.").as_bytes(), body].concat();
    let each = secrets.iter().map(|secret| {
        let key = BASE64_STANDARD.decode(secret.expose().strip_prefix(PREFIX)?).ok()?;
        Some(format!("v1,{}", BASE64_STANDARD.encode(token::hmac_sha256(&key, &signed))))
    });
    Some(each.collect::<Option<Vec<_>>>()?.join(" "))
}

/// `x-pd-signature`, whose key is the secret's text as it is.
pub(super) fn older(secrets: &[Secret], at_s: i64, body: &[u8]) -> String {
    let signed = [format!("{at_s}.").as_bytes(), body].concat();
    let mut text = format!("t={at_s}");
    for secret in secrets {
        text.push_str(",v1=");
        for byte in token::hmac_sha256(secret.expose().as_bytes(), &signed) {
            for digit in [byte >> 4, byte & 15] {
                text.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the Standard Webhooks libraries.
    #[test]
    fn h_01_the_known_example_comes_out() {
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let body = br#"{"test": 2432232314}"#;
        let made = standard(&[secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(made.unwrap(), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    /// Made by the `hmac` module of Python.
    #[test]
    fn h_01_the_older_signature_is_the_one_that_another_program_makes() {
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let made = older(&[secret], 1_614_265_330, br#"{"test": 2432232314}"#);
        let tag = "2e37df5d4a028c51a7f3133d64ae1e300d2c2c900f1b1d49d4369ad2530f8964";
        assert_eq!(made, format!("t=1614265330,v1={tag}"));
    }

    #[test]
    fn h_02_secrets_are_fresh_and_of_the_known_form() {
        let (one, other) = (fresh_secret(), fresh_secret());
        assert_ne!(one.expose(), other.expose());
        let bytes = BASE64_STANDARD.decode(one.expose().strip_prefix("whsec_").unwrap()).unwrap();
        assert!((24..=64).contains(&bytes.len()));
    }

    #[test]
    fn h_01_each_secret_signs() {
        let secrets = [fresh_secret(), fresh_secret()];
        let made = standard(&secrets, "msg_a", 7, b"{}").unwrap();
        assert_eq!(made.split(' ').count(), 2);
        assert_eq!(older(&secrets, 7, b"{}").matches(",v1=").count(), 2);
        assert_eq!(standard(&[Secret::new("whsec_!")], "msg_a", 7, b"{}"), None);
    }
}
