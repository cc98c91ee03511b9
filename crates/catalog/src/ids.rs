//! Ids that are the same in every installation, because they are made from a name.

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Digits in an id: enough for 64 bits in base 62.
const DIGITS: usize = 11;

/// `prefix` and eleven base-62 digits of the name's [`number`], the lowest first.
///
/// Not a secret and not random on purpose: an id of a built-in app may stand in a customer's code.
pub(crate) fn stable(prefix: &str, name: &str) -> String {
    let mut hash = number(name);
    let mut id = String::with_capacity(prefix.len() + DIGITS);
    id.push_str(prefix);
    for _ in 0..DIGITS {
        let digit = usize::try_from(hash % 62).unwrap_or(0);
        id.push(char::from(BASE62[digit]));
        hash /= 62;
    }
    id
}

/// The FNV-1a hash of a name, 64 bits.
pub(crate) fn number(name: &str) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in name.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash
}

/// The number that an id was made of. `None`: it is none of ours.
pub(crate) fn number_of(prefix: &str, id: &str) -> Option<u64> {
    let digits = id.strip_prefix(prefix).filter(|it| it.len() == DIGITS)?;
    digits.bytes().rev().try_fold(0_u64, |number, byte| {
        let digit = BASE62.iter().position(|it| *it == byte)?;
        number.checked_mul(62)?.checked_add(digit as u64)
    })
}

#[cfg(test)]
mod tests {
    use super::{number, number_of, stable};

    #[test]
    fn an_id_depends_on_the_name_alone() {
        assert_eq!(stable("app_", "slack"), stable("app_", "slack"));
        assert_ne!(stable("app_", "slack"), stable("app_", "slack_v2"));
        assert_eq!(stable("app_", "").len(), "app_".len() + 11);
    }

    #[test]
    fn an_id_leads_back_to_its_number() {
        for name in ["slack", "", "a_very_long_name_of_an_app"] {
            assert_eq!(number_of("app_", &stable("app_", name)), Some(number(name)));
        }
        for bad in
            ["app_", "app_zzzzzzzzzzz", "app_JouxBNbBb9", "oa_JouxBNbBb92", "app_JouxBNbBb9-"]
        {
            assert_eq!(number_of("app_", bad), None, "{bad}");
        }
    }
}
