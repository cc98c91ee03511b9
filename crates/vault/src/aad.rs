//! Additional data: what a sealed value is bound to. Every field is preceded by its length, so that
//! no two different places have the same encoding.

use crate::key_id::KeyId;

/// The version of both byte layouts; the first byte of everything stored, and part of the binding.
pub(crate) const FORMAT: u8 = 1;

const OWNER_LABEL: &str = "grantkeep owner key";
const DATA_KEY_LABEL: &str = "grantkeep data key";
const DATA_LABEL: &str = "grantkeep data";

/// Whose key it is. A wrapped owner key opens only for the owner it was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner<'a> {
    /// A user of a project's product, in one environment of the project.
    User { project: &'a str, environment: &'a str, id: &'a str },
    /// The project itself: its OAuth client secrets, its signing keys.
    Project { project: &'a str },
}

impl Owner<'_> {
    pub(crate) fn aad(&self, root: KeyId) -> Vec<u8> {
        let (kind, project, environment, id) = match *self {
            Owner::User { project, environment, id } => (1, project, environment, id),
            Owner::Project { project } => (2, project, "", ""),
        };
        let mut aad = labelled(OWNER_LABEL, root);
        aad.push(kind);
        for text in [project, environment, id] {
            field(&mut aad, text);
        }
        aad
    }
}

/// Where a value is stored. A sealed value opens only in the place it was sealed for.
///
/// `version` is the row's version as it will be once written: an older value put back is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    pub project: &'a str,
    pub environment: &'a str,
    pub table: &'a str,
    pub record: &'a str,
    pub column: &'a str,
    pub version: i64,
}

impl Place<'_> {
    pub(crate) fn data_key_aad(&self, owner: KeyId) -> Vec<u8> {
        self.aad(DATA_KEY_LABEL, owner)
    }

    pub(crate) fn data_aad(&self, owner: KeyId) -> Vec<u8> {
        self.aad(DATA_LABEL, owner)
    }

    fn aad(&self, label: &str, owner: KeyId) -> Vec<u8> {
        let mut aad = labelled(label, owner);
        for text in [self.project, self.environment, self.table, self.record, self.column] {
            field(&mut aad, text);
        }
        aad.extend(self.version.to_be_bytes());
        aad
    }
}

fn labelled(label: &str, key: KeyId) -> Vec<u8> {
    let mut aad = Vec::with_capacity(192);
    field(&mut aad, label);
    aad.push(FORMAT);
    aad.extend(key.as_bytes());
    aad
}

fn field(aad: &mut Vec<u8>, text: &str) {
    aad.extend((text.len() as u64).to_be_bytes());
    aad.extend(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Fields = (String, String, String, String, String, i64);

    fn place((project, environment, table, record, column, version): &Fields) -> Place<'_> {
        Place { project, environment, table, record, column, version: *version }
    }

    proptest! {
        /// Short fields of few letters, so that shifted borders are tried often.
        #[test]
        fn v_03_different_places_have_different_encodings(
            one in ("[ab]{0,3}", "[ab]{0,3}", "[ab]{0,3}", "[ab]{0,3}", "[ab]{0,3}", 0..2i64),
            other in ("[ab]{0,3}", "[ab]{0,3}", "[ab]{0,3}", "[ab]{0,3}", "[ab]{0,3}", 0..2i64),
        ) {
            let key = KeyId::from_bytes([7; 8]);
            let same = place(&one).data_aad(key) == place(&other).data_aad(key);
            prop_assert_eq!(same, one == other);
        }
    }

    #[test]
    fn v_03_a_user_and_a_project_never_share_an_encoding() {
        let key = KeyId::from_bytes([7; 8]);
        let user = Owner::User { project: "p", environment: "", id: "" };
        assert_ne!(user.aad(key), Owner::Project { project: "p" }.aad(key));
    }

    #[test]
    fn v_03_the_key_is_part_of_the_encoding() {
        let place = place(&Fields::default()).data_aad(KeyId::from_bytes([1; 8]));
        assert_eq!(&place[23..31], &[1; 8]);
    }
}
