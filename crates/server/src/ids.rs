//! The one door to randomness for names of things. Secrets are minted by the vault.

use std::cell::RefCell;
use std::fmt;

/// Random characters after the prefix: 14 of base 62 are 83 bits, so ids do not meet by chance.
const ID_CHARS: usize = 14;

/// Defines an id type: a string that begins with a fixed prefix. Ids are names, not secrets.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(
            Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord,
            serde::Serialize, serde::Deserialize,
            sqlx::Type, utoipa::ToSchema,
        )]
        #[sqlx(transparent)]
        #[serde(transparent)]
        #[schema(value_type = String)]
        pub struct $name(String);

        impl $name {
            pub const PREFIX: &'static str = $prefix;

            pub fn mint() -> Self {
                Self(random($prefix))
            }

            /// `None` unless `text` has this id's prefix and only letters and digits after it.
            pub fn parse(text: &str) -> Option<Self> {
                well_formed(text, $prefix).then(|| Self(text.to_owned()))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl rusqlite::types::FromSql for $name {
            fn column_result(
                value: rusqlite::types::ValueRef<'_>,
            ) -> rusqlite::types::FromSqlResult<Self> {
                value.as_str().map(|text| Self(text.to_owned()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// A project: one product of the operator.
    ProjectId, "proj_");
id!(
    /// A connected account.
    AccountId, "apn_");
id!(
    /// An external user: a user of the operator's product.
    UserId, "exu_");
id!(
    /// An OAuth client registered at a provider.
    OAuthAppId, "oa_");
id!(
    /// Values and a client set for an app, so that users are not asked for them.
    OverrideId, "ao_");
id!(
    /// An OAuth client of this server's own API.
    ClientId, "gkc_");
id!(
    /// An API key, by name; not the key itself.
    KeyId, "gkk_");
id!(
    /// One load of the connect page.
    SessionId, "cs_");
id!(
    /// One run of an authorization flow. Not a secret.
    FlowId, "fl_");
id!(
    /// A limit that a customer set for himself. Opens nothing.
    RateLimitId, "rl_");
id!(
    /// Counts that a process adds to what was used, once.
    BatchId, "ub_");
id!(
    /// A running process of this program, as leases and journals name it.
    InstanceId, "gki_");
id!(
    /// One exchange of a refresh token for new tokens.
    OperationId, "rx_");
id!(
    /// A job in the outbox.
    JobId, "job_");
id!(
    /// The erasure of a user in steps.
    ErasureId, "era_");
id!(
    /// A file in a stash.
    FileId, "file_");
id!(
    /// A request that code left to be sent.
    LetterId, "let_");
id!(
    /// A component that was published, or is shipped.
    ComponentId, "sc_");
id!(
    /// Fields that a user's choices brought with them.
    DynamicPropsId, "dyp_");
id!(
    /// One run of a component's code.
    RunId, "run_");
id!(
    /// A request that was answered and waits to be worked off by a trigger.
    CallId, "call_");
id!(
    /// A workflow.
    WorkflowId, "p_");
id!(
    /// One run of a workflow.
    WorkflowRunId, "wfr_");
id!(
    /// Where code keeps a user's values for later runs.
    DataStoreId, "ds_");
id!(
    /// An audit event.
    EventId, "ev_");
id!(
    /// An endpoint of a product, to which news is posted.
    WebhookId, "wh_");
id!(
    /// One piece of news, the same for every endpoint and every try.
    MessageId, "msg_");
id!(
    /// One piece of news on its way to one endpoint.
    DeliveryId, "dlv_");
id!(
    /// A request, as named in logs, audit and the `x-request-id` header.
    RequestId, "req_");

impl AccountId {
    /// The same id for the same digest, as hard to meet by chance as one that was made by chance.
    pub fn derived(digest: &[u8; 32]) -> Self {
        let (first, _) = digest.split_at(16);
        let mut left = first.iter().fold(0_u128, |sum, byte| (sum << 8) | u128::from(*byte));
        let mut text = Self::PREFIX.to_owned();
        for _ in 0..ID_CHARS {
            text.push(char::from(ALPHABET[(left % 62) as usize]));
            left /= 62;
        }
        Self(text)
    }
}

impl EventId {
    /// Later ones are greater: very many are stored, and the store adds at the end of an index for
    /// a fraction of what it costs to add everywhere in it.
    pub fn mint_at(now_ms: i64) -> Self {
        let mut prefix = *b"ev_00000000";
        let mut left = now_ms.unsigned_abs();
        for place in prefix[Self::PREFIX.len()..].iter_mut().rev() {
            *place = ALPHABET[(left % 62) as usize];
            left /= 62;
        }
        Self(random(str::from_utf8(&prefix).unwrap_or(Self::PREFIX)))
    }
}

impl OAuthAppId {
    /// The same id each time for the same digest of something secret.
    pub fn of_digest(digest: &[u8; 32]) -> Self {
        let chars = digest.iter().take(ID_CHARS);
        let chars = chars.map(|it| char::from(ALPHABET[usize::from(*it) % ALPHABET.len()]));
        Self(Self::PREFIX.chars().chain(chars).collect())
    }
}

/// In the order of the characters' codes.
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// What can emit events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Emitter {
    /// A component that was deployed.
    Source,
    /// An address.
    Http,
    /// A clock.
    Timer,
}

impl Emitter {
    pub const ALL: [Self; 3] = [Self::Source, Self::Http, Self::Timer];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Http => "http",
            Self::Timer => "timer",
        }
    }

    fn prefix(self) -> &'static str {
        match self {
            Self::Source => "dc_",
            Self::Http => "hi_",
            Self::Timer => "ti_",
        }
    }
}

/// What emits events, by name: its prefix says which kind it is.
#[derive(
    Clone,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
    sqlx::Type,
    utoipa::ToSchema,
)]
#[sqlx(transparent)]
#[serde(transparent)]
#[schema(value_type = String)]
pub struct EmitterId(String);

impl EmitterId {
    pub fn mint(kind: Emitter) -> Self {
        Self(random(kind.prefix()))
    }

    /// `None` unless `text` has the prefix of a kind and only letters and digits after it.
    pub fn parse(text: &str) -> Option<Self> {
        let known = Emitter::ALL.iter().any(|it| well_formed(text, it.prefix()));
        known.then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EmitterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl ComponentId {
    /// The id of a component that is in every server, so that it is the same in all of them.
    pub fn named(letters_and_digits: &str) -> Self {
        Self(format!("{}{letters_and_digits}", Self::PREFIX))
    }
}

/// Random bytes, asked for many at once: a single id costs as much as all of them.
struct Stock {
    bytes: [u8; 1_024],
    used: usize,
}

impl Stock {
    const EMPTY: Self = Self { bytes: [0; 1_024], used: 1_024 };

    fn next(&mut self) -> u8 {
        if self.used == self.bytes.len() {
            // The operating system's generator fails only when the machine cannot give randomness
            // at all; going on would make ids that meet.
            #[expect(clippy::expect_used, reason = "without randomness nothing here is safe")]
            aws_lc_rs::rand::fill(&mut self.bytes).expect("the system's random generator failed");
            self.used = 0;
        }
        self.used += 1;
        self.bytes[self.used - 1]
    }
}

fn random(prefix: &str) -> String {
    thread_local! {
        static STOCK: RefCell<Stock> = const { RefCell::new(Stock::EMPTY) };
    }
    let mut text = String::with_capacity(prefix.len() + ID_CHARS);
    text.push_str(prefix);
    STOCK.with_borrow_mut(|stock| {
        while text.len() < prefix.len() + ID_CHARS {
            let byte = stock.next();
            // 248 is the largest multiple of 62 in a byte: what lies above would favour some
            // letters.
            if byte < 248 {
                text.push(char::from(ALPHABET[usize::from(byte % 62)]));
            }
        }
    });
    text
}

fn well_formed(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|rest| {
        (1..=64).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_may_follow_from_a_digest() {
        let id = AccountId::derived(&[7; 32]);
        assert_eq!(id, AccountId::derived(&[7; 32]));
        assert_ne!(id, AccountId::derived(&[8; 32]));
        assert_eq!(AccountId::parse(id.as_str()).as_ref(), Some(&id));
        assert_eq!(id.as_str().len(), AccountId::PREFIX.len() + ID_CHARS);
    }

    #[test]
    fn ids_have_their_prefix_and_do_not_meet() {
        let ids: std::collections::HashSet<_> = (0..10_000).map(|_| AccountId::mint()).collect();
        assert_eq!(ids.len(), 10_000);
        assert!(ids.iter().all(|id| AccountId::parse(id.as_str()).as_ref() == Some(id)));
    }

    #[test]
    fn ids_of_events_are_in_the_order_of_time() {
        let times = [0, 61, 62, 1_790_000_000_000, 1_790_000_000_001, 9_000_000_000_000];
        let ids = times.map(EventId::mint_at);
        assert!(ids.is_sorted(), "{ids:?}");
        assert!(ids.iter().all(|id| EventId::parse(id.as_str()).as_ref() == Some(id)));
    }

    #[test]
    fn other_prefixes_and_odd_characters_are_refused() {
        for text in ["", "apn_", "proj_abc", "apn_a b", "apn_a/b", "apn_é", "APN_abc"] {
            assert_eq!(AccountId::parse(text), None, "{text}");
        }
    }
}
