//! Versions as Semantic Versioning 2.0.0 orders them (section 11).

use std::cmp::Ordering;

/// A version, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version {
    numbers: [u64; 3],
    /// What stands behind a hyphen. Such a version comes before the one without it.
    before: Vec<Part>,
}

/// One part of a pre-release: numbers come before words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Number(u64),
    Word(String),
}

/// Characters of a version.
const CHARS_MAX: usize = 64;

impl Version {
    /// `None` unless the text is `x.y.z`, with a pre-release behind a hyphen or without.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > CHARS_MAX {
            return None;
        }
        let (release, before) = match text.split_once('-') {
            Some((release, before)) => (release, Some(before)),
            None => (text, None),
        };
        let mut numbers = release.split('.').map(number);
        let parsed = [numbers.next()??, numbers.next()??, numbers.next()??];
        let before = match before {
            None => Vec::new(),
            Some(text) => text.split('.').map(part).collect::<Option<_>>()?,
        };
        numbers.next().is_none().then_some(Self { numbers: parsed, before })
    }
}

fn number(text: &str) -> Option<u64> {
    let plain = text == "0" || !text.starts_with('0');
    let digits = !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    if plain && digits { text.parse().ok() } else { None }
}

fn part(text: &str) -> Option<Part> {
    if text.bytes().all(|it| it.is_ascii_digit()) {
        return number(text).map(Part::Number);
    }
    let plain = text.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-');
    plain.then(|| Part::Word(text.to_owned()))
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let released = |it: &Self| it.before.is_empty();
        self.numbers
            .cmp(&other.numbers)
            .then_with(|| released(self).cmp(&released(other)))
            .then_with(|| self.before.cmp(&other.before))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_the_standard_says() {
        let order = [
            "0.0.1",
            "0.0.2",
            "0.1.0",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0",
            "1.2.0",
            "1.10.0",
        ];
        let parsed: Vec<_> = order.iter().map(|it| Version::parse(it).unwrap()).collect();
        let mut sorted = parsed.clone();
        sorted.sort();
        assert_eq!(sorted, parsed);
        for text in ["", "1", "1.2", "1.2.3.4", "01.2.3", "v1.2.3", "1.2.x", "1.2.3-", "1.2.3-a_b"]
        {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }
}
