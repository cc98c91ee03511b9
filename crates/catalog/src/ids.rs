//! Ids that are the same in every installation, because they are made from a name.

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Digits in an id: enough for 64 bits in base 62.
const DIGITS: usize = 11;

/// `prefix` and eleven base-62 digits of the name's FNV-1a hash (64 bits).
///
/// Not a secret and not random on purpose: an id of a built-in app may stand in a customer's code.
pub(crate) fn stable(prefix: &str, name: &str) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in name.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    let mut id = String::with_capacity(prefix.len() + DIGITS);
    id.push_str(prefix);
    for _ in 0..DIGITS {
        let digit = usize::try_from(hash % 62).unwrap_or(0);
        id.push(char::from(BASE62[digit]));
        hash /= 62;
    }
    id
}

#[cfg(test)]
mod tests {
    use super::stable;

    #[test]
    fn an_id_depends_on_the_name_alone() {
        assert_eq!(stable("app_", "slack"), stable("app_", "slack"));
        assert_ne!(stable("app_", "slack"), stable("app_", "slack_v2"));
        assert_eq!(stable("app_", "").len(), "app_".len() + 11);
    }
}
