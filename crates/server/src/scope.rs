//! What a caller may do, as space-separated scopes (RFC 6749 section 3.3).

use std::collections::BTreeSet;

/// Characters in one scope list; more is refused before it is read.
const SCOPE_CHARS_MAX: usize = 2_000;

macro_rules! scopes {
    ($($name:ident $text:literal;)*) => {
        /// A scope. The names are the wire's, but for those about credentials, which are ours.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Scope { $($name),* }

        impl Scope {
            pub const ALL: &[Self] = &[$(Self::$name),*];

            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }
        }

        /// Each scope as a type, so that a route's signature says what it needs.
        pub mod need {
            $(
                #[derive(Clone, Copy, Debug)]
                pub struct $name;
                impl super::Need for $name {
                    const SCOPE: Option<super::Scope> = Some(super::Scope::$name);
                }
            )*

            /// Any bearer will do.
            #[derive(Clone, Copy, Debug)]
            pub struct Nothing;
            impl super::Need for Nothing {
                const SCOPE: Option<super::Scope> = None;
            }
        }
    };
}

scopes! {
    Everything "*";
    Connect "connect:*";
    Actions "connect:actions:*";
    Triggers "connect:triggers:*";
    AccountsRead "connect:accounts:read";
    AccountsWrite "connect:accounts:write";
    DeployedTriggersRead "connect:deployed_triggers:read";
    DeployedTriggersWrite "connect:deployed_triggers:write";
    UsersRead "connect:users:read";
    UsersWrite "connect:users:write";
    ProjectsRead "connect:projects:read";
    ProjectsWrite "connect:projects:write";
    UsageRead "connect:usage:read";
    TokensCreate "connect:tokens:create";
    Proxy "connect:proxy";
    WorkflowInvoke "connect:workflow:invoke";
    CredentialsRead "credentials:read";
    ProxyUse "proxy:use";
    Freeze "credentials:freeze";
}

/// A scope that a route needs, as a type.
pub trait Need: Send + Sync + 'static {
    const SCOPE: Option<Scope>;
}

/// A set of scopes.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Scopes(BTreeSet<Scope>);

impl Scopes {
    pub fn of(scopes: &[Scope]) -> Self {
        Self(scopes.iter().copied().collect())
    }

    /// `None` when a word is not a scope, or the list is too long to be one.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > SCOPE_CHARS_MAX {
            return None;
        }
        let find = |word| Scope::ALL.iter().copied().find(|scope| scope.as_str() == word);
        text.split_ascii_whitespace().map(find).collect::<Option<_>>().map(Self)
    }

    /// The same with one more.
    #[must_use]
    pub fn with(mut self, scope: Scope) -> Self {
        self.0.insert(scope);
        self
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a call that needs `scope` may be made. `*` and `connect:*` never cover the scopes
    /// that reveal, use or freeze credentials: those are switched on for each client by name. The
    /// proxy has two names, ours and the wire's, which mean the same.
    pub fn allow(&self, scope: Scope) -> bool {
        if self.0.contains(&scope) {
            return true;
        }
        match scope {
            Scope::ProxyUse => self.0.contains(&Scope::Proxy),
            Scope::Proxy => self.0.contains(&Scope::ProxyUse),
            Scope::CredentialsRead | Scope::Freeze | Scope::Everything => false,
            _ => self.0.contains(&Scope::Everything) || self.0.contains(&Scope::Connect),
        }
    }

    /// Whether nothing in `self` goes beyond `other`.
    pub fn within(&self, other: &Self) -> bool {
        self.0.iter().all(|scope| other.allow(*scope))
    }

    /// What of these a connect token may carry.
    #[must_use]
    pub fn for_browsers(&self) -> Self {
        let all = self.0.iter().copied().filter(|it| !Self::of(&[*it]).contains_server_only());
        Self(all.collect())
    }

    /// What a connect token may carry of these: never `*`, and nothing that reveals credentials.
    /// For the proxy it has `connect:proxy`, by that name.
    pub fn contains_server_only(&self) -> bool {
        let server_only = [
            Scope::Everything,
            Scope::CredentialsRead,
            Scope::ProxyUse,
            Scope::Freeze,
            Scope::TokensCreate,
        ];
        server_only.iter().any(|scope| self.0.contains(scope))
    }
}

impl std::fmt::Display for Scopes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (nth, scope) in self.0.iter().enumerate() {
            if nth > 0 {
                f.write_str(" ")?;
            }
            f.write_str(scope.as_str())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_06_stars_never_cover_credentials() {
        for stars in ["*", "connect:*", "* connect:*"] {
            let scopes = Scopes::parse(stars).unwrap();
            assert!(scopes.allow(Scope::AccountsRead));
            assert!(!scopes.allow(Scope::CredentialsRead));
            assert!(!scopes.allow(Scope::ProxyUse));
            assert!(!scopes.allow(Scope::Proxy));
        }
        for name in ["proxy:use", "* connect:proxy"] {
            let scopes = Scopes::parse(name).unwrap();
            assert!(scopes.allow(Scope::ProxyUse) && scopes.allow(Scope::Proxy), "{name}");
            assert!(!scopes.allow(Scope::CredentialsRead), "{name}");
        }
    }

    #[test]
    fn a_narrow_set_is_within_a_wide_one_and_not_the_reverse() {
        let wide = Scopes::parse("*").unwrap();
        let narrow = Scopes::parse("connect:accounts:read connect:users:read").unwrap();
        assert!(narrow.within(&wide));
        assert!(!wide.within(&narrow));
        assert!(!Scopes::parse("credentials:read").unwrap().within(&wide));
        assert!(Scopes::parse("connect:*").unwrap().within(&wide));
    }

    #[test]
    fn unknown_words_and_long_lists_are_refused() {
        assert_eq!(Scopes::parse("connect:nothing"), None);
        assert_eq!(Scopes::parse(&"* ".repeat(2_000)), None);
    }
}
