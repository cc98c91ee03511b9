//! Assertions that stand for a grant (RFC 7523 §2.1, §3): service accounts, and apps that a user
//! lets in with a key of his own.

use serde_json::{Map, Value};

use crate::answer::Members;
use crate::jws::{self, Signing, Stamp};
use crate::key::{KEY_BYTES_MAX, KeyError, SigningKey};
use crate::request::RequestError;
use crate::{Secret, endpoint};

/// No assertion is good for longer. Seconds; what most servers accept at most.
pub const LIFE_S_MAX: i64 = 3_600;
/// The clock of the server may be behind ours. Seconds.
pub const SKEW_S: i64 = 30;

/// Who asks, for whom, and for what.
#[derive(Debug, Clone, Copy)]
pub struct Claims<'a> {
    /// The service account or client.
    pub issuer: &'a str,
    /// The user for whom it acts. An empty one is left out: the account acts for itself.
    pub subject: Option<&'a str>,
    /// The token endpoint or the issuer of the server, as it wants it.
    pub audience: &'a str,
    /// Where scopes are asked for in the assertion and not beside it.
    pub scope: Option<&'a str>,
    /// Above [`LIFE_S_MAX`] is that.
    pub life_s: i64,
    pub stamp: Stamp<'a>,
    /// What else the app wants, filled by [`crate::template::fill_json`]. May not replace what is
    /// said above.
    pub others: Option<&'a Members>,
}

impl Claims<'_> {
    /// The assertion, to be sent by [`crate::grant::jwt_bearer`]; some apps take the same thing as
    /// their client's secret.
    ///
    /// # Errors
    /// [`RequestError::Reserved`] if `others` has a claim of ours, or is no object.
    pub fn jwt(&self, signing: &Signing) -> Result<Secret, RequestError> {
        let text = |it: Option<&str>| it.filter(|it| !it.is_empty()).map(Value::from);
        let life_s = self.life_s.clamp(1, LIFE_S_MAX);
        let mut claims = jws::claims([
            ("iss", Some(self.issuer.into())),
            ("sub", text(self.subject)),
            ("aud", Some(self.audience.into())),
            ("scope", text(self.scope)),
            ("jti", Some(self.stamp.jti.into())),
            ("iat", Some(self.stamp.now_s.into())),
            ("exp", Some((self.stamp.now_s + life_s).into())),
        ]);
        add(&mut claims, self.others)?;
        Ok(signing.jwt(Some("JWT"), &claims)?)
    }
}

/// The file in which Google hands out the key of a service account.
#[derive(Debug)]
pub struct ServiceAccount {
    /// Named as the server knows it.
    pub key: SigningKey,
    /// The issuer of its assertions.
    pub email: String,
    /// Where they are sent, and their audience. It comes from whoever gave the file: to be compared
    /// with the app's own, or to be judged as any address.
    pub token_url: String,
}

impl ServiceAccount {
    /// # Errors
    /// [`KeyError::Member`] names what is missing, or not as it must be.
    pub fn read(text: &Secret, allow_loopback_http: bool) -> Result<Self, KeyError> {
        if text.expose().len() > KEY_BYTES_MAX {
            return Err(KeyError::TooLong);
        }
        let members = serde_json::from_str(text.expose()).map_err(|_| KeyError::NotKey)?;
        let members = Members::new(members);
        let get = |name| members.text(name).filter(|it| !it.is_empty());
        if get("type").as_deref() != Some("service_account") {
            return Err(KeyError::Member("type"));
        }
        let pem = get("private_key").ok_or(KeyError::Member("private_key"))?;
        let key = SigningKey::read(&Secret::new(pem))?;
        let kid = get("private_key_id").ok_or(KeyError::Member("private_key_id"))?;
        let token_url = get("token_uri").ok_or(KeyError::Member("token_uri"))?;
        endpoint::check(&token_url, allow_loopback_http)
            .map_err(|_| KeyError::Member("token_uri"))?;
        let email = get("client_email").ok_or(KeyError::Member("client_email"))?;
        Ok(Self { key: key.with_kid(kid), email, token_url })
    }
}

fn add(claims: &mut Map<String, Value>, others: Option<&Members>) -> Result<(), RequestError> {
    let Some(others) = others else { return Ok(()) };
    let others = others.value().as_object();
    for (name, value) in others.ok_or_else(|| RequestError::Reserved("claims".to_owned()))? {
        let ours = ["iss", "sub", "aud", "exp", "iat", "jti"].contains(&name.as_str());
        if ours || claims.contains_key(name) {
            return Err(RequestError::Reserved(name.clone()));
        }
        claims.insert(name.clone(), value.clone());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::key::samples;

    fn plain() -> Claims<'static> {
        Claims {
            issuer: "robot@project.example",
            subject: None,
            audience: "https://as.example/token",
            scope: Some("https://api.example/auth/read"),
            life_s: 3_600,
            stamp: Stamp { jti: "j", now_s: 1_700_000_000 },
            others: None,
        }
    }

    #[test]
    fn a_service_account_for_itself_and_for_a_user() {
        let key = samples::rsa().with_kid("k1");
        let signing = Signing::with(&key);
        let read = |it: Claims| jws::tests::read(&key, it.jwt(&signing).unwrap().expose());
        let (header, alone) = read(plain());
        assert_eq!(header, json!({"alg": "RS256", "typ": "JWT", "kid": "k1"}));
        let expected = json!({
            "iss": "robot@project.example", "aud": "https://as.example/token", "jti": "j",
            "scope": "https://api.example/auth/read", "iat": 1_700_000_000, "exp": 1_700_003_600,
        });
        assert_eq!(alone, expected);
        assert_eq!(read(Claims { subject: Some(""), ..plain() }).1, expected);
        assert_eq!(read(Claims { subject: Some("u"), ..plain() }).1["sub"], "u");
        assert_eq!(read(Claims { life_s: i64::MAX, ..plain() }).1["exp"], 1_700_003_600);
    }

    #[test]
    fn other_claims_are_added_and_replace_none() {
        let key = samples::p256();
        let template = json!({"box_sub_type": "${kind}", "n": 1, "list": ["${kind}", true]});
        let lookup = |name: &str| (name == "kind").then_some("enter\"prise");
        let others = crate::template::fill_json(&template, &lookup).unwrap();
        let it = Claims { others: Some(&others), ..plain() };
        let jwt = it.jwt(&Signing::with(&key)).unwrap();
        let claims = jws::tests::read(&key, jwt.expose()).1;
        assert_eq!(claims["box_sub_type"], "enter\"prise");
        assert_eq!(claims["list"], json!(["enter\"prise", true]));
        for name in ["iss", "sub", "aud", "exp", "iat", "jti", "scope"] {
            let others = Members::new(json!({name: "x"}));
            let it = Claims { others: Some(&others), ..plain() };
            let error = it.jwt(&Signing::with(&key)).unwrap_err();
            assert_eq!(error, RequestError::Reserved(name.to_owned()));
        }
    }

    #[test]
    fn the_file_of_a_service_account() {
        let file = |name: &str, value: &str| {
            let mut file = json!({
                "type": "service_account", "project_id": "p", "private_key_id": "k1",
                "private_key": samples::RSA_PKCS8, "client_email": "robot@p.example",
                "token_uri": "https://as.example/token",
            });
            file[name] = value.into();
            ServiceAccount::read(&Secret::new(file.to_string()), false)
        };
        let it = file("client_id", "1").unwrap();
        assert_eq!((it.key.kid(), it.email.as_str()), (Some("k1"), "robot@p.example"));
        assert_eq!(it.token_url, "https://as.example/token");
        assert!(!format!("{it:?}").contains("BEGIN"));
        for (name, value) in [
            ("type", "authorized_user"),
            ("private_key", ""),
            ("private_key_id", ""),
            ("client_email", ""),
            ("token_uri", "http://as.example/token"),
            ("token_uri", "javascript:x"),
        ] {
            assert_eq!(file(name, value).unwrap_err(), KeyError::Member(name), "{value}");
        }
        assert_eq!(file("private_key", "x").unwrap_err(), KeyError::NotKey);
        let error = ServiceAccount::read(&Secret::new("x"), false).unwrap_err();
        assert_eq!(error, KeyError::NotKey);
    }
}
