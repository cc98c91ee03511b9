//! What steps of workflows do in the world: each asks here for a mark, and is written down.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::trouble::{Doing, Result};

/// Bytes of a request's head; there is no body.
const HEAD_BYTES_MAX: usize = 8 * 1024;
/// Breaches that are kept in words; all are counted.
const BREACHES_MAX: usize = 50;

/// A step of a run: the run's id, and the step's number.
pub type Place = (String, usize);

#[derive(Default)]
struct Book {
    marks: u64,
    /// What each step was given, each time that it asked.
    given: BTreeMap<Place, Vec<String>>,
    /// What the steps after it have seen of it.
    seen: BTreeMap<Place, String>,
    /// Steps that were recorded when a server died.
    recorded: BTreeSet<Place>,
    repeated: u64,
    breaches: Vec<String>,
}

/// A server on loopback. It is never killed.
pub struct Ledger {
    pub url: String,
    book: Arc<Mutex<Book>>,
    serving: JoinHandle<()>,
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// What a ledger has seen.
pub struct Sum {
    /// Steps that asked, and how often they did beyond the first time.
    pub done: u64,
    pub again: u64,
    /// How often a step asked that was recorded already.
    pub repeated: u64,
    pub breaches: Vec<String>,
}

impl Ledger {
    pub async fn open() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.doing("the ledger")?;
        let url = format!("http://{}", listener.local_addr().doing("the ledger")?);
        let book = Arc::<Mutex<Book>>::default();
        let of = Arc::clone(&book);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let book = Arc::clone(&of);
                tokio::spawn(async move { answer(stream, &book).await });
            }
        });
        Ok(Self { url, book, serving })
    }

    /// These steps are recorded: none of them may ask again.
    pub fn record(&self, places: impl IntoIterator<Item = Place>) {
        locked(&self.book).recorded.extend(places);
    }

    /// Whether it ever asked.
    pub fn has(&self, place: &Place) -> bool {
        locked(&self.book).given.contains_key(place)
    }

    /// How often steps have asked so far.
    pub fn asked(&self) -> u64 {
        locked(&self.book).marks
    }

    pub fn sum(&self) -> Sum {
        let book = locked(&self.book);
        let asked: usize = book.given.values().map(Vec::len).sum();
        Sum {
            done: book.given.len() as u64,
            again: (asked - book.given.len()) as u64,
            repeated: book.repeated,
            breaches: book.breaches.clone(),
        }
    }
}

fn locked(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `GET /<run>/<nth>/<key>/<what the step before it was given>`.
async fn answer(mut stream: TcpStream, book: &Mutex<Book>) -> Option<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|it| it == b"\r\n\r\n") && head.len() < HEAD_BYTES_MAX {
        if stream.read_buf(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1)?;
    let parts: Vec<_> = path.trim_start_matches('/').split('/').collect();
    let [run, nth, key, before] = parts.as_slice() else { return None };
    let place = ((*run).to_owned(), nth.parse().ok()?);
    let mark = locked(book).asked(place, key, before);
    let text = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{mark}",
        mark.len()
    );
    stream.write_all(text.as_bytes()).await.ok()?;
    stream.shutdown().await.ok()
}

impl Book {
    fn asked(&mut self, place: Place, key: &str, before: &str) -> String {
        let (run, nth) = (&place.0, place.1);
        // The same however often it is tried.
        if key != format!("{run}-s{nth}") {
            self.breach(format!("step {nth} of {run} had the key {key}"));
        }
        if self.recorded.contains(&place) || self.seen.contains_key(&place) {
            self.repeated += 1;
            self.breach(format!("step {nth} of {run} was recorded, and done again"));
        }
        if let Some(nth) = nth.checked_sub(1) {
            let earlier = (run.clone(), nth);
            let given = self.given.get(&earlier);
            if !given.is_some_and(|it| it.iter().any(|it| it == before)) {
                self.breach(format!("step {nth} of {run} never gave {before}"));
            }
            let first = self.seen.entry(earlier).or_insert_with(|| before.to_owned()).clone();
            if first != before {
                self.breach(format!("step {nth} of {run} gave {first}, and later {before}"));
            }
        }
        self.marks += 1;
        let mark = format!("m{}", self.marks);
        self.given.entry(place).or_default().push(mark.clone());
        mark
    }

    fn breach(&mut self, text: String) {
        if self.breaches.len() < BREACHES_MAX {
            self.breaches.push(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(nth: usize) -> Place {
        ("r".to_owned(), nth)
    }

    #[test]
    fn a_step_may_ask_again_until_it_is_recorded_or_seen() {
        let mut book = Book::default();
        let first = book.asked(place(0), "r-s0", "-");
        let second = book.asked(place(0), "r-s0", "-");
        assert_ne!(first, second);
        book.asked(place(1), "r-s1", &second);
        assert_eq!(book.breaches, Vec::<String>::new());
        book.asked(place(0), "r-s0", "-");
        assert_eq!(book.repeated, 1, "step 1 has seen it, so it was recorded");
        book.recorded.insert(place(1));
        book.asked(place(1), "r-s1", &second);
        assert_eq!(book.repeated, 2);
        book.asked(place(2), "other", "m999");
        assert_eq!(book.breaches.len(), 4, "{:?}", book.breaches);
    }
}
