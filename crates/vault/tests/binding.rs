//! What is sealed opens for its owner, in its place, unchanged; and in no other case.
#![allow(clippy::unwrap_used)]

use std::collections::HashSet;

use grantkeep_vault::{Keyring, OpenError, Owner, OwnerKey, Place, RootKey, owner_key_id_of};
use proptest::prelude::*;

const PLACE: Place = Place {
    project: "proj_1",
    environment: "production",
    table: "accounts",
    record: "apn_1",
    column: "credentials",
    version: 1,
};
const OWNER: Owner = Owner::User { project: "proj_1", environment: "production", id: "user-1" };

fn root() -> RootKey {
    RootKey::parse(&RootKey::generate_text()).unwrap()
}

fn owner_key() -> OwnerKey {
    Keyring::new(root(), vec![]).new_owner_key(&OWNER).0
}

/// A small generator, so that the test is the same each time.
struct Draw(u64);

impl Draw {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(end).unwrap()).unwrap()
    }
}

/// Two tenants, two environments, several users, rows, columns and versions: each value is put in
/// the place of another, ten thousand times.
#[test]
fn v_03_of_ten_thousand_swaps_none_opens() {
    let keyring = Keyring::new(root(), vec![]);
    let mut values = Vec::new();
    for project in ["proj_1", "proj_2"] {
        for environment in ["development", "production"] {
            for user in ["user-1", "user-2"] {
                let owner = Owner::User { project, environment, id: user };
                // One key for two records of the user, so that the key alone is not the defence.
                let key = std::rc::Rc::new(keyring.new_owner_key(&owner).0);
                for record in ["apn_1", "apn_2"] {
                    for (column, version) in [("a", 1), ("b", 1), ("a", 2), ("b", 2)] {
                        let place =
                            Place { project, environment, record, column, version, ..PLACE };
                        let plain = format!("{user} {place:?}");
                        values.push((
                            key.clone(),
                            place,
                            key.seal(&place, plain.as_bytes()),
                            plain,
                        ));
                    }
                }
            }
        }
    }
    let mut draw = Draw(0x9E37_79B9_7F4A_7C15);
    let mut swaps = 0;
    while swaps < 10_000 {
        let (from, to) = (draw.below(values.len()), draw.below(values.len()));
        let (key, place, own, plain) = &values[to];
        if from == to {
            assert_eq!(key.open(place, own).unwrap().expose(), plain.as_bytes());
            continue;
        }
        let (other_key, other_place, other, _) = &values[from];
        assert!(key.open(place, other).is_err(), "{place:?} {other_place:?}");
        // Even with the other's key at hand, and even under the right key: the place counts.
        if place != other_place {
            assert_eq!(other_key.open(place, other).unwrap_err(), OpenError::Refused);
        }
        swaps += 1;
    }
}

#[test]
fn v_03_each_part_of_the_place_counts() {
    let key = owner_key();
    let sealed = key.seal(&PLACE, b"token");
    for place in [
        Place { project: "proj_2", ..PLACE },
        Place { environment: "development", ..PLACE },
        Place { table: "flows", ..PLACE },
        Place { record: "apn_2", ..PLACE },
        Place { column: "previous", ..PLACE },
        Place { version: 0, ..PLACE },
        Place { version: 2, ..PLACE },
        Place { project: "proj_1p", environment: "roduction", ..PLACE },
    ] {
        assert_eq!(key.open(&place, &sealed).unwrap_err(), OpenError::Refused, "{place:?}");
    }
    assert_eq!(key.open(&PLACE, &sealed).unwrap().expose(), b"token");
}

/// Parts of two values sealed for the same place must not combine either.
#[test]
fn v_03_a_data_key_does_not_open_another_value_of_the_same_place() {
    let key = owner_key();
    let (one, other) = (key.seal(&PLACE, b"first"), key.seal(&PLACE, b"other"));
    let data_at = one.len() - (12 + 5 + 16);
    let mixed = [&one[..data_at], &other[data_at..]].concat();
    assert_eq!(key.open(&PLACE, &mixed).unwrap_err(), OpenError::Refused);
}

#[test]
fn v_07_any_flipped_bit_and_any_other_length_is_an_error() {
    let keyring = Keyring::new(root(), vec![]);
    let (key, wrapped) = keyring.new_owner_key(&OWNER);
    let sealed = key.seal(&PLACE, b"a refresh token");
    for bit in 0..sealed.len() * 8 {
        let mut changed = sealed.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let error = key.open(&PLACE, &changed).unwrap_err();
        match bit / 8 {
            0 => assert_eq!(error, OpenError::Format),
            1..9 => assert!(matches!(error, OpenError::OtherOwnerKey(_)), "{bit} {error}"),
            _ => assert_eq!(error, OpenError::Refused, "{bit}"),
        }
    }
    for bit in 0..wrapped.len() * 8 {
        let mut changed = wrapped.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let error = keyring.unwrap(&changed, &OWNER).err().unwrap();
        match bit / 8 {
            0 => assert_eq!(error, OpenError::Format),
            1..9 => assert!(matches!(error, OpenError::UnknownRootKey(_)), "{bit} {error}"),
            _ => assert_eq!(error, OpenError::Refused, "{bit}"),
        }
        assert!(keyring.rewrap(&changed, &OWNER).is_err());
    }
    for length in 0..sealed.len() {
        assert!(key.open(&PLACE, &sealed[..length]).is_err(), "{length}");
    }
    for length in 0..wrapped.len() {
        assert!(keyring.unwrap(&wrapped[..length], &OWNER).is_err(), "{length}");
    }
    assert!(key.open(&PLACE, &[&sealed[..], &[0]].concat()).is_err());
    assert!(keyring.unwrap(&[&wrapped[..], &[0]].concat(), &OWNER).is_err());
}

#[test]
fn v_07_what_was_never_sealed_is_never_answered() {
    let key = owner_key();
    for plain in [&b""[..], b"plain text", b"{\"access_token\":\"x\"}", &[1; 200], &[0; 97]] {
        assert!(key.open(&PLACE, plain).is_err(), "{plain:?}");
        assert!(Keyring::new(root(), vec![]).unwrap(plain, &OWNER).is_err());
    }
}

#[test]
fn v_01_each_write_has_its_own_key_and_nonces() {
    let key = owner_key();
    let mut seen = HashSet::new();
    for _ in 0..1_000 {
        let sealed = key.seal(&PLACE, b"same");
        assert_eq!(owner_key_id_of(&sealed).unwrap(), key.id());
        for part in [&sealed[9..21], &sealed[21..69], &sealed[69..81], &sealed[81..]] {
            assert!(seen.insert(part.to_vec()));
        }
    }
}

#[test]
fn v_01_an_owner_key_opens_for_its_owner_only() {
    let keyring = Keyring::new(root(), vec![]);
    let (_, wrapped) = keyring.new_owner_key(&OWNER);
    for other in [
        Owner::User { project: "proj_2", environment: "production", id: "user-1" },
        Owner::User { project: "proj_1", environment: "development", id: "user-1" },
        Owner::User { project: "proj_1", environment: "production", id: "user-2" },
        Owner::Project { project: "proj_1" },
    ] {
        let error = keyring.unwrap(&wrapped, &other).err().unwrap();
        assert_eq!(error, OpenError::Refused, "{other:?}");
        assert_eq!(keyring.rewrap(&wrapped, &other).unwrap_err(), OpenError::Refused);
    }
    assert!(keyring.unwrap(&wrapped, &OWNER).is_ok());
}

#[test]
fn v_04_a_change_of_root_key_loses_nothing_and_ends_the_old_one() {
    let (old_text, new_text) = (RootKey::generate_text(), RootKey::generate_text());
    let parse = |text: &str| RootKey::parse(text).unwrap();
    let before = Keyring::new(parse(&old_text), vec![]);
    let (key, wrapped) = before.new_owner_key(&OWNER);
    let sealed = key.seal(&PLACE, b"token");

    let during = Keyring::new(parse(&new_text), vec![parse(&old_text)]);
    let opened = during.unwrap(&wrapped, &OWNER).unwrap().open(&PLACE, &sealed).unwrap();
    assert_eq!(opened.expose(), b"token");
    let rewrapped = during.rewrap(&wrapped, &OWNER).unwrap().unwrap();
    assert_eq!(Keyring::root_key_id_of(&rewrapped).unwrap(), during.current_id());
    assert_eq!(during.rewrap(&rewrapped, &OWNER).unwrap(), None);
    // New owners use the new key at once.
    let (_, fresh) = during.new_owner_key(&OWNER);
    assert_eq!(Keyring::root_key_id_of(&fresh).unwrap(), parse(&new_text).id());

    let after = Keyring::new(parse(&new_text), vec![]);
    let same = after.unwrap(&rewrapped, &OWNER).unwrap();
    assert_eq!(same.id(), key.id());
    assert_eq!(same.open_text(&PLACE, &sealed).unwrap().expose(), "token");
    let refused = OpenError::UnknownRootKey(parse(&old_text).id());
    assert_eq!(after.unwrap(&wrapped, &OWNER).err().unwrap(), refused);
    assert!(before.unwrap(&rewrapped, &OWNER).is_err());
}

#[test]
fn v_08_a_new_key_for_the_same_owner_does_not_open_what_the_destroyed_one_sealed() {
    let keyring = Keyring::new(root(), vec![]);
    let (destroyed, _) = keyring.new_owner_key(&OWNER);
    let sealed = destroyed.seal(&PLACE, b"token");
    let (fresh, _) = keyring.new_owner_key(&OWNER);
    assert_eq!(fresh.open(&PLACE, &sealed).unwrap_err(), OpenError::OtherOwnerKey(destroyed.id()));
}

proptest! {
    #[test]
    fn what_is_sealed_opens_again(plain: Vec<u8>, record in "\\PC{0,20}", version: i64) {
        let key = owner_key();
        let place = Place { record: &record, version, ..PLACE };
        let sealed = key.seal(&place, &plain);
        prop_assert_eq!(sealed.len(), 97 + plain.len());
        let opened = key.open(&place, &sealed).unwrap();
        prop_assert_eq!(opened.expose(), &plain[..]);
    }

    #[test]
    fn opening_anything_never_panics(mut bytes: Vec<u8>, known: bool) {
        let keyring = Keyring::new(root(), vec![]);
        let (key, wrapped) = keyring.new_owner_key(&OWNER);
        if known {
            bytes.splice(0..0, wrapped[..9].iter().copied());
        }
        prop_assert!(key.open(&PLACE, &bytes).is_err());
        prop_assert!(keyring.unwrap(&bytes, &OWNER).is_err());
    }
}
