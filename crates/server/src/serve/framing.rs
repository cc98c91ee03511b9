//! Watches the bytes of an HTTP/1 connection for what the HTTP library hides from handlers.
//!
//! Given both `Content-Length` and `Transfer-Encoding`, the library drops one and goes on; a proxy
//! in front may have dropped the other, and then the two disagree about where the next request
//! begins (RFC 9112 section 11.2). So they may where one of the two comes twice, or where the body
//! is coded in another way than in chunks. A bare line feed is taken by some and not by others. All
//! of these are refused here. So is a head that is too large although it came in one piece.

/// Longest line kept; longer ones are too large in any case.
const LINE_BYTES_MAX: usize = 512 * 1024;

/// Why a request is refused before anything looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It can be read in two ways.
    Ambiguous,
    /// Its head is larger than allowed.
    HeadTooLarge,
}

/// What was read of the connection so far.
enum State {
    /// In a request line or header fields.
    Head(Head),
    /// In a body with this many bytes left.
    Fixed(u64),
    /// In the line that says how long the next chunk is.
    ChunkSize(Vec<u8>),
    /// In a chunk, its line end included.
    Chunk(u64),
    /// After the last chunk.
    Trailer(Vec<u8>),
    /// Not followed any more: HTTP/2, or the library will refuse it itself.
    Opaque,
}

#[derive(Default)]
struct Head {
    line: Vec<u8>,
    bytes: usize,
    lines: usize,
    length: Option<u64>,
    chunked: bool,
    ambiguous: bool,
    http2: bool,
}

/// What the bytes just read contained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The head of a request, and why to refuse it.
    Request(Option<Refusal>),
    /// The connection speaks HTTP/2.
    Http2,
}

/// Follows one connection.
pub(super) struct Framing {
    state: State,
    head_bytes_max: usize,
}

impl Framing {
    pub(super) fn new(head_bytes_max: usize) -> Self {
        Self { state: State::Head(Head::default()), head_bytes_max }
    }

    /// Takes the next bytes, and tells each head that ends in them.
    pub(super) fn feed(&mut self, mut bytes: &[u8], mut found: impl FnMut(Found)) {
        while !bytes.is_empty() {
            let state = std::mem::replace(&mut self.state, State::Opaque);
            let (used, next) = match state {
                State::Opaque => return,
                State::Head(head) => self.head(head, bytes, &mut found),
                State::Fixed(left) => skip(left, bytes, State::Fixed, idle),
                State::Chunk(left) => {
                    skip(left, bytes, State::Chunk, || State::ChunkSize(Vec::new()))
                }
                State::ChunkSize(line) => line_of(line, bytes, State::ChunkSize, after_size),
                State::Trailer(line) => line_of(line, bytes, State::Trailer, after_trailer),
            };
            self.state = next;
            bytes = &bytes[used..];
        }
    }

    fn head(&self, mut head: Head, bytes: &[u8], found: &mut impl FnMut(Found)) -> (usize, State) {
        let (used, ended) = take_line(&mut head.line, bytes);
        head.bytes += used;
        if head.bytes > self.head_bytes_max {
            found(Found::Request(Some(Refusal::HeadTooLarge)));
            return (used, State::Opaque);
        }
        if !ended {
            return (used, State::Head(head));
        }
        if !head.end_line() {
            return (used, State::Head(head));
        }
        if head.http2 {
            found(Found::Http2);
            return (used, State::Opaque);
        }
        found(Found::Request(head.refusal()));
        (used, head.body())
    }
}

impl Head {
    /// Reads the line that just ended. `true`: it was the empty one after the head.
    fn end_line(&mut self) -> bool {
        let mut line = std::mem::take(&mut self.line);
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        } else {
            self.ambiguous = true;
        }
        if line.is_empty() {
            // Empty lines before the request line are skipped (RFC 9112 section 2.2).
            return self.lines > 0;
        }
        self.lines += 1;
        if self.lines == 1 {
            self.http2 = line == b"PRI * HTTP/2.0";
        } else {
            self.field(&line);
        }
        false
    }

    fn field(&mut self, line: &[u8]) {
        let Some(colon) = line.iter().position(|it| *it == b':') else { return };
        let name = line[..colon].trim_ascii();
        let value = line[colon + 1..].trim_ascii();
        if name.eq_ignore_ascii_case(b"content-length") {
            // Also when it says the same twice, which RFC 9112 section 6.3 leaves to the recipient.
            self.ambiguous |= self.length.is_some() || self.chunked;
            self.length = std::str::from_utf8(value).ok().and_then(|it| it.parse().ok());
            self.ambiguous |= self.length.is_none();
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.ambiguous |= self.length.is_some() || self.chunked;
            self.chunked = true;
            self.ambiguous |= !value.eq_ignore_ascii_case(b"chunked");
        }
    }

    fn refusal(&self) -> Option<Refusal> {
        self.ambiguous.then_some(Refusal::Ambiguous)
    }

    /// What follows the head.
    fn body(&self) -> State {
        match (self.ambiguous, self.chunked, self.length) {
            (true, ..) => State::Opaque,
            (_, true, _) => State::ChunkSize(Vec::new()),
            (_, _, None | Some(0)) => idle(),
            (_, _, Some(length)) => State::Fixed(length),
        }
    }
}

/// Between two requests.
fn idle() -> State {
    State::Head(Head::default())
}

fn skip(
    left: u64,
    bytes: &[u8],
    more: impl Fn(u64) -> State,
    done: impl Fn() -> State,
) -> (usize, State) {
    let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
    let left = left - here as u64;
    (here, if left == 0 { done() } else { more(left) })
}

/// Moves bytes to `line` up to a line feed. `true`: it was found.
fn take_line(line: &mut Vec<u8>, bytes: &[u8]) -> (usize, bool) {
    let end = bytes.iter().position(|it| *it == b'\n');
    let used = end.map_or(bytes.len(), |at| at + 1);
    line.extend_from_slice(&bytes[..used]);
    (used, end.is_some())
}

fn line_of(
    mut line: Vec<u8>,
    bytes: &[u8],
    more: impl Fn(Vec<u8>) -> State,
    done: impl Fn(&[u8]) -> State,
) -> (usize, State) {
    let (used, ended) = take_line(&mut line, bytes);
    let next = if ended {
        done(line.trim_ascii())
    } else if line.len() > LINE_BYTES_MAX {
        State::Opaque
    } else {
        more(line)
    };
    (used, next)
}

/// A chunk's size is hexadecimal; what follows a semicolon is an extension (RFC 9112 section 7.1).
fn after_size(line: &[u8]) -> State {
    let digits = line.split(|it| *it == b';').next().unwrap_or_default().trim_ascii();
    let size = std::str::from_utf8(digits).ok().and_then(|it| u64::from_str_radix(it, 16).ok());
    match size {
        Some(0) => State::Trailer(Vec::new()),
        Some(size) => State::Chunk(size.saturating_add(2)),
        None => State::Opaque,
    }
}

fn after_trailer(line: &[u8]) -> State {
    if line.is_empty() { idle() } else { State::Trailer(Vec::new()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OK: Found = Found::Request(None);
    const AMBIGUOUS: Found = Found::Request(Some(Refusal::Ambiguous));

    /// What is found does not depend on how the bytes are cut.
    fn found(text: &str) -> Vec<Found> {
        let cut = |size: usize| {
            let mut framing = Framing::new(200);
            let mut all = Vec::new();
            for part in text.as_bytes().chunks(size) {
                framing.feed(part, |it| all.push(it));
            }
            all
        };
        let whole = cut(usize::MAX);
        for size in 1..text.len() {
            assert_eq!(cut(size), whole, "in pieces of {size}");
        }
        whole
    }

    #[test]
    fn o03_both_lengths_are_found_wherever_the_request_begins() {
        let both =
            "POST / HTTP/1.1\r\nContent-Length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
        let turned = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\ncontent-length: 3\r\n\r\n";
        assert_eq!(found(both), [AMBIGUOUS]);
        assert_eq!(found(turned), [AMBIGUOUS]);
        let fixed = "\r\nPOST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc";
        assert_eq!(found(&format!("{fixed}{both}")), [OK, AMBIGUOUS]);
        let chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\
                       3;x=y\r\nabc\r\na\r\n0123456789\r\n0\r\nt: u\r\n\r\n";
        assert_eq!(found(&format!("{chunked}{fixed}{both}")), [OK, OK, AMBIGUOUS]);
    }

    #[test]
    fn o03_a_framing_is_said_once_and_is_a_length_or_chunks() {
        let head = |fields: &str| found(&format!("POST / HTTP/1.1\r\n{fields}\r\n"));
        for fields in [
            "Content-Length: 3\r\ncontent-length: 3\r\n",
            "Content-Length: 3, 3\r\n",
            "Transfer-Encoding: chunked\r\ntransfer-encoding: chunked\r\n",
            "Transfer-Encoding: chunked, chunked\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: identity\r\n",
            "Transfer-Encoding:\r\n",
        ] {
            assert_eq!(head(fields), [AMBIGUOUS], "{fields:?}");
        }
        assert_eq!(head("Transfer-Encoding:  CHUNKED \r\n"), [OK]);
    }

    #[test]
    fn a_body_that_looks_like_a_head_is_a_body() {
        let inner = "GET / HTTP/1.1\nx: y\n\n";
        let text = format!("POST / HTTP/1.1\r\ncontent-length: {}\r\n\r\n{inner}", inner.len());
        assert_eq!(found(&text), [OK]);
    }

    #[test]
    fn bare_line_feeds_and_large_heads_are_refused() {
        assert_eq!(found("GET / HTTP/1.1\nhost: a\n\n"), [AMBIGUOUS]);
        assert_eq!(found("GET / HTTP/1.1\r\nhost: a\n\r\n"), [AMBIGUOUS]);
        let large = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(200));
        assert_eq!(found(&large), [Found::Request(Some(Refusal::HeadTooLarge))]);
    }

    #[test]
    fn the_preface_of_http2_ends_the_watch() {
        assert_eq!(found("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\n\n"), [Found::Http2]);
    }

    proptest! {
        /// However the bytes are cut, the same heads are found, and none after the watch ended.
        #[test]
        fn o03_any_bytes_are_followed_alike_in_any_pieces(
            parts in prop::collection::vec(
                prop::sample::select(vec![
                    "GET / HTTP/1.1", "\r\n", "\n", "\r", "\r\n\r\n", "content-length: 3",
                    "Content-Length:+3", "transfer-encoding: chunked", ", chunked", ":", " ", "3",
                    "a;b=c", "0",
                    "18446744073709551615", "ffffffffffffffff", "abc", "PRI * HTTP/2.0", "\0", "é",
                ]),
                0..24,
            ),
        ) {
            let text = parts.concat();
            let found = found(&text);
            let last = found.iter().position(|it| *it != OK);
            prop_assert!(last.is_none_or(|at| at + 1 == found.len()), "{:?}", found);
        }
    }
}
