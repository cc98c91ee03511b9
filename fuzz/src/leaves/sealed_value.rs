//! What is stored sealed: garbage never opens, nor does anything with a bit turned.

use std::sync::LazyLock;

use grantkeep_vault::{Keyring, Owner, OwnerKey, Place, RootKey, owner_key_id_of};

const OWNER: Owner = Owner::User { project: "proj_1", environment: "production", id: "u" };
const PLACE: Place = Place {
    project: "proj_1",
    environment: "production",
    table: "accounts",
    record: "apn_1",
    column: "credentials",
    version: 1,
};
const PLAIN: &[u8] = b"what was granted";

struct Known {
    keyring: Keyring,
    wrapped: Vec<u8>,
    key: OwnerKey,
    sealed: Vec<u8>,
}

static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    let root = RootKey::parse(&RootKey::generate_text()).expect("a made key is taken");
    let keyring = Keyring::new(root, Vec::new());
    let (key, wrapped) = keyring.new_owner_key(&OWNER);
    let sealed = key.seal(&PLACE, PLAIN);
    Known { keyring, wrapped, key, sealed }
});

pub fn run(data: &[u8]) {
    let Known { keyring, wrapped, key, sealed } = &*KNOWN;
    assert!(key.open(&PLACE, data).is_err() && key.open_text(&PLACE, data).is_err());
    assert!(keyring.unwrap(data, &OWNER).is_err() && keyring.rewrap(data, &OWNER).is_err());
    let _ = (owner_key_id_of(data), Keyring::root_key_id_of(data));
    // The same bytes as a mask, and as what is appended.
    let changed = data.iter().any(|it| *it != 0);
    for (known, opens) in [(sealed, opened as fn(&[u8]) -> bool), (wrapped, unwrapped)] {
        let masked: Vec<u8> =
            known.iter().zip(mask(data)).map(|(one, other)| one ^ other).collect();
        let untouched = masked == *known;
        assert!(untouched || changed);
        assert_eq!(opens(&masked), untouched);
        assert_eq!(opens(&[known, data].concat()), data.is_empty());
        assert!(!opens(&known[..data.len() % known.len()]));
    }
}

/// The bytes, then zeros.
fn mask(data: &[u8]) -> impl Iterator<Item = u8> {
    data.iter().copied().chain(std::iter::repeat(0))
}

fn opened(sealed: &[u8]) -> bool {
    let opened = KNOWN.key.open(&PLACE, sealed);
    opened.is_ok_and(|it| it.expose() == PLAIN)
}

fn unwrapped(wrapped: &[u8]) -> bool {
    KNOWN.keyring.unwrap(wrapped, &OWNER).is_ok_and(|it| it.id() == KNOWN.key.id())
}
