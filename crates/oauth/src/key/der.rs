//! As much of DER as an RSA key needs (RFC 8017 §A.1): whole numbers in a sequence.

use zeroize::Zeroizing;

use super::KeyError;

const INTEGER: u8 = 0x02;
const SEQUENCE: u8 = 0x30;
const BIT_STRING: u8 = 0x03;
/// The inside of the algorithm of an RSA key (RFC 3279 §2.3.1): its name, and no parameters.
const RSA: [u8; 13] =
    [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];

/// A sequence of whole numbers, each given as big-endian bytes.
pub(super) fn integers(numbers: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let room = numbers.iter().map(|it| it.len() + 6).sum();
    let mut body = Zeroizing::new(Vec::with_capacity(room));
    for number in numbers {
        let number = stripped(number);
        // One more byte where the first bit would make the number negative.
        let pad = number.first().is_none_or(|it| it & 0x80 != 0);
        body.push(INTEGER);
        length(&mut body, number.len() + usize::from(pad));
        body.extend(pad.then_some(0));
        body.extend_from_slice(number);
    }
    let mut out = Zeroizing::new(Vec::with_capacity(body.len() + 6));
    out.push(SEQUENCE);
    length(&mut out, body.len());
    out.extend_from_slice(&body);
    out
}

/// The numbers of a sequence, without leading zeros.
pub(super) fn read(der: &[u8]) -> Result<Vec<&[u8]>, KeyError> {
    let (mut body, after) = element(der, SEQUENCE)?;
    let mut numbers = Vec::new();
    while !body.is_empty() {
        let (number, rest) = element(body, INTEGER)?;
        numbers.push(stripped(number));
        body = rest;
    }
    if after.is_empty() { Ok(numbers) } else { Err(KeyError::Unsupported) }
}

/// What stands in a `SubjectPublicKeyInfo` (RFC 5280 §4.1) of an RSA key: the key as PKCS#1 has it.
pub(super) fn rsa_public(der: &[u8]) -> Result<&[u8], KeyError> {
    let (body, after) = element(der, SEQUENCE)?;
    let (algorithm, rest) = element(body, SEQUENCE)?;
    let (bits, rest) = element(rest, BIT_STRING)?;
    let whole = algorithm == RSA && rest.is_empty() && after.is_empty();
    // The first byte tells how many bits at the end do not count: none.
    bits.strip_prefix(&[0]).filter(|_| whole).ok_or(KeyError::Unsupported)
}

fn element(der: &[u8], tag: u8) -> Result<(&[u8], &[u8]), KeyError> {
    let fits = || {
        let (&[found, first], rest) = der.split_first_chunk::<2>()?;
        let (size, rest) = match usize::from(first) {
            short if short < 0x80 => (short, rest),
            long => {
                let (bytes, rest) = rest.split_at_checked(long - 0x80)?;
                let long = bytes.len() > 4;
                let size = bytes.iter().fold(0, |size, it| size << 8 | usize::from(*it));
                if long {
                    return None;
                }
                (size, rest)
            }
        };
        (found == tag).then(|| rest.split_at_checked(size))?
    };
    fits().ok_or(KeyError::Unsupported)
}

fn length(out: &mut Vec<u8>, size: usize) {
    let bytes = size.to_be_bytes();
    let bytes = stripped(&bytes);
    match bytes {
        [] => out.push(0),
        [short] if *short < 0x80 => out.push(*short),
        long => {
            // A `usize` has at most eight bytes.
            out.push(0x80 | u8::try_from(long.len()).unwrap_or_default());
            out.extend_from_slice(long);
        }
    }
}

fn stripped(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|it| **it == 0).count();
    &number[zeros..]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_come_back(numbers in prop::collection::vec(any::<Vec<u8>>(), 0..9)) {
            let borrowed: Vec<&[u8]> = numbers.iter().map(Vec::as_slice).collect();
            let der = integers(&borrowed);
            let expected: Vec<&[u8]> = borrowed.iter().map(|it| stripped(it)).collect();
            prop_assert_eq!(read(&der).unwrap(), expected);
        }

        #[test]
        fn any_bytes_are_read_without_harm(der in any::<Vec<u8>>()) {
            let _ = read(&der);
            let _ = rsa_public(&der);
        }
    }
}
