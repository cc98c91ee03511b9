//! Finding apps by what somebody types: parts of names, words in any order, and typing errors.

use crate::entry::Entry;
use crate::fold::{self, NAMES};

/// Letters of a query for which errors are looked for: one from so many on, two from so many on.
const ONE_ERROR_LETTERS: usize = 4;
const TWO_ERRORS_LETTERS: usize = 8;
/// Bytes of a query with errors: a bit each in a machine word.
const ERROR_BYTES_MAX: usize = 64;
/// Bytes of a query that are read; no name is longer.
const QUERY_BYTES_MAX: usize = 200;

/// From the best to the worst. Equal ranks are settled by popularity.
const EQUAL: u8 = 0;
const BEGINS: u8 = 1;
const WORD_BEGINS: u8 = 2;
const WORDS: u8 = 3;
const INSIDE: u8 = 4;
const NEARLY_EQUAL: u8 = 5;
const NEARLY_BEGINS: u8 = 6;

/// The entries that fit, best first. Case, spaces and punctuation make no difference. An empty
/// query finds all.
pub(crate) fn search<'a>(entries: impl Iterator<Item = &'a Entry>, query: &str) -> Vec<&'a Entry> {
    let cut = query.char_indices().map(|(at, _)| at).find(|at| *at >= QUERY_BYTES_MAX);
    let query = Query::of(&query[..cut.unwrap_or(query.len())]);
    let entries: Vec<&Entry> = entries.collect();
    let ranked = |rank: &dyn Fn(&str) -> Option<u8>| -> Vec<(u8, &'a Entry)> {
        let best = |it: &&'a Entry| Some((it.folded.split(NAMES).filter_map(rank).min()?, *it));
        entries.iter().filter_map(best).collect()
    };
    let mut found = ranked(&|name| query.rank(name));
    // Errors count only where nothing begins with what was typed.
    if let Some(nearly) = Nearly::of(&query.joined)
        && found.iter().all(|(rank, _)| *rank >= INSIDE)
    {
        found = ranked(&|name| query.rank(name).or_else(|| nearly.rank(name)));
    }
    found.sort_by(|(a, left), (b, right)| {
        (a, right.popularity, &left.slug).cmp(&(b, left.popularity, &right.slug))
    });
    found.into_iter().map(|(_, entry)| entry).collect()
}

struct Query {
    words: Vec<String>,
    joined: String,
}

impl Query {
    fn of(text: &str) -> Self {
        let folded = fold::fold(text);
        let words: Vec<String> = folded.split(' ').map(ToOwned::to_owned).collect();
        Self { joined: words.concat(), words }
    }

    /// How well a name fits that is made of words with a space between them.
    fn rank(&self, name: &str) -> Option<u8> {
        let query = self.joined.as_bytes();
        let bytes = name.as_bytes();
        if let Some(left) = after(bytes, query) {
            return Some(if left == 0 { EQUAL } else { BEGINS });
        }
        let first = *query.first()?;
        let mut inside = false;
        for at in 1..bytes.len() {
            if bytes[at] == first && after(&bytes[at..], query).is_some() {
                if bytes[at - 1] == b' ' {
                    return Some(WORD_BEGINS);
                }
                inside = true;
            }
        }
        if self.words.len() > 1 {
            let begins = |query: &String| name.split(' ').any(|it| it.starts_with(query.as_str()));
            if self.words.iter().all(begins) {
                return Some(WORDS);
            }
        }
        inside.then_some(INSIDE)
    }
}

/// How many bytes of a name follow on the query; spaces are passed over. `None`: it does not begin
/// with it.
fn after(name: &[u8], query: &[u8]) -> Option<usize> {
    let mut letters = name.iter().filter(|it| **it != b' ');
    for wanted in query {
        if letters.next() != Some(wanted) {
            return None;
        }
    }
    Some(letters.count())
}

/// A query that may hold typing errors: the distance of Damerau (a letter too many, too few,
/// another, or two that changed places) by the bit vectors of Hyyrö (2003).
struct Nearly {
    /// The bits of the places at which a byte stands in the query.
    places: [u64; 256],
    letters: usize,
    errors: usize,
}

impl Nearly {
    fn of(query: &str) -> Option<Self> {
        let letters = query.len();
        let errors = match query.chars().count() {
            TWO_ERRORS_LETTERS.. => 2,
            ONE_ERROR_LETTERS.. => 1,
            _ => return None,
        };
        if letters > ERROR_BYTES_MAX {
            return None;
        }
        let mut places = [0; 256];
        for (at, byte) in query.bytes().enumerate() {
            places[usize::from(byte)] |= 1 << at;
        }
        Some(Self { places, letters, errors })
    }

    fn rank(&self, name: &str) -> Option<u8> {
        let bytes = name.as_bytes();
        let mut best = None;
        for at in 0..bytes.len() {
            if at > 0 && bytes[at - 1] != b' ' {
                continue;
            }
            // Too little is left, here and at every later word.
            if bytes.len() - at + self.errors < self.letters {
                break;
            }
            match self.distances(&bytes[at..]) {
                (whole, _) if at == 0 && whole <= self.errors => return Some(NEARLY_EQUAL),
                (_, beginning) if beginning <= self.errors => best = Some(NEARLY_BEGINS),
                _ => {}
            }
        }
        best
    }

    /// The distance to all of a text, and the least to one of its beginnings.
    fn distances(&self, text: &[u8]) -> (usize, usize) {
        let last = 1_u64 << (self.letters - 1);
        let (mut positive, mut negative) = (!0_u64, 0_u64);
        let (mut diagonal, mut before) = (0_u64, 0_u64);
        let (mut distance, mut least) = (self.letters, self.letters);
        let longest = self.letters + self.errors;
        for (read, byte) in text.iter().filter(|it| **it != b' ').enumerate() {
            // What follows only adds to the distance.
            if read == longest {
                return (usize::MAX, least);
            }
            let here = self.places[usize::from(*byte)];
            let swapped = ((!diagonal & here) << 1) & before;
            diagonal =
                ((here & positive).wrapping_add(positive) ^ positive) | here | negative | swapped;
            let mut up = negative | !(diagonal | positive);
            let down = diagonal & positive;
            if up & last != 0 {
                distance += 1;
            } else if down & last != 0 {
                distance -= 1;
            }
            up = up << 1 | 1;
            let down = down << 1;
            positive = down | !(diagonal | up);
            negative = up & diagonal;
            before = here;
            least = least.min(distance);
        }
        (distance, least)
    }
}

#[cfg(test)]
mod tests {
    use super::Nearly;

    fn distance(query: &str, text: &str) -> usize {
        Nearly::of(query).unwrap().distances(text.as_bytes()).0
    }

    #[test]
    fn distances_are_those_of_damerau() {
        for (query, text, wanted) in [
            ("github", "github", 0),
            ("gihtub", "github", 1),
            ("githb", "github", 1),
            ("gitthub", "github", 1),
            ("gjthub", "github", 1),
            ("salesfroce", "sales force", 1),
            ("sallesfroce", "salesforce", 2),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(query, text), wanted, "{query} {text}");
        }
    }

    #[test]
    fn a_beginning_has_a_distance_of_its_own() {
        let nearly = Nearly::of("salesfroce").unwrap();
        assert_eq!(nearly.distances(b"salesforce marketing cloud").1, 1);
        assert!(nearly.distances(b"zendesk").1 > 2);
    }
}
