//! Which way of client authentication to take of those that both sides know.

use crate::key::{Algorithm, SigningKey};

/// Names as in the registry of RFC 8414 §2, strongest first: what is bound to the connection, what
/// never leaves, what leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AuthMethod {
    TlsClientAuth,
    SelfSignedTlsClientAuth,
    PrivateKeyJwt,
    ClientSecretJwt,
    ClientSecretBasic,
    ClientSecretPost,
    None,
}

impl AuthMethod {
    pub const ALL: [Self; 7] = [
        Self::TlsClientAuth,
        Self::SelfSignedTlsClientAuth,
        Self::PrivateKeyJwt,
        Self::ClientSecretJwt,
        Self::ClientSecretBasic,
        Self::ClientSecretPost,
        Self::None,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::TlsClientAuth => "tls_client_auth",
            Self::SelfSignedTlsClientAuth => "self_signed_tls_client_auth",
            Self::PrivateKeyJwt => "private_key_jwt",
            Self::ClientSecretJwt => "client_secret_jwt",
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
            Self::None => "none",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == name)
    }

    /// Whether it rests on a secret that the server knows too.
    pub fn is_symmetric(self) -> bool {
        matches!(self, Self::ClientSecretJwt | Self::ClientSecretBasic | Self::ClientSecretPost)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certificate {
    /// Of an authority that the server trusts.
    Issued,
    SelfSigned,
}

/// What the client has. For a registration still to be made: what it could have.
#[derive(Debug, Clone, Copy, Default)]
pub struct Able<'a> {
    pub certificate: Option<Certificate>,
    pub key: Option<&'a SigningKey>,
    pub secret: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    pub method: AuthMethod,
    /// With what to sign; only of [`AuthMethod::PrivateKeyJwt`].
    pub algorithm: Option<Algorithm>,
}

/// The strongest way that both know, or `None`. For a registration that was made by hand, what was
/// registered wins over this: servers list what some client may do.
///
/// A server that lists nothing knows `client_secret_basic` (RFC 8414 §2), and a client that has
/// nothing is a public one.
pub fn choose(
    methods: Option<&[AuthMethod]>,
    algorithms: Option<&[String]>,
    able: &Able,
) -> Option<Choice> {
    let listed = |method| match methods {
        Some(methods) => methods.contains(&method),
        None => matches!(method, AuthMethod::ClientSecretBasic | AuthMethod::None),
    };
    let nothing = able.certificate.is_none() && able.key.is_none() && !able.secret;
    let signing = able.key.and_then(|it| choose_algorithm(algorithms, it));
    let hs256 = algorithms.is_none_or(|it| it.iter().any(|it| it == "HS256"));
    let possible = |method: &AuthMethod| match method {
        AuthMethod::TlsClientAuth => able.certificate == Some(Certificate::Issued),
        AuthMethod::SelfSignedTlsClientAuth => able.certificate.is_some(),
        AuthMethod::PrivateKeyJwt => signing.is_some(),
        AuthMethod::ClientSecretJwt => able.secret && hs256,
        AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost => able.secret,
        AuthMethod::None => nothing,
    };
    let method = AuthMethod::ALL.into_iter().find(|it| listed(*it) && possible(it))?;
    let algorithm = signing.filter(|_| method == AuthMethod::PrivateKeyJwt);
    Some(Choice { method, algorithm })
}

/// What the key can sign with of what the server knows; the key's own where it does not say.
pub fn choose_algorithm(known: Option<&[String]>, key: &SigningKey) -> Option<Algorithm> {
    let Some(known) = known else { return key.algorithms().first().copied() };
    let both = |it: &Algorithm| {
        key.algorithms().contains(it) && known.iter().any(|name| name == it.as_str())
    };
    Algorithm::ALL.into_iter().find(both)
}
