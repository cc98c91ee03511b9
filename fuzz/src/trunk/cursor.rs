//! Cursors: none is taken that this list did not give out.

use grantkeep::paging::{Boundary, CursorKey, Page};
use grantkeep::query::Query;

const LIST: &str = "accounts";

pub fn run(data: &[u8]) {
    let key = CursorKey::new(b"a key of this target");
    let text = String::from_utf8_lossy(data);
    for name in ["after", "before"] {
        assert!(text.is_empty() || !is_taken(&key, name, &text), "{text:?} was taken");
    }
    let whole = Page::of(&Query::parse("limit=1"), &key, LIST.to_owned()).expect("a page");
    // The bytes are the id, so that a cursor comes back whatever an id may hold.
    let boundary = |_: &i64| Boundary { key: 7, id: text.clone().into_owned() };
    let (_, info) = whole.answer(&key, vec![1, 2], 2, boundary);
    let cursor = info.end_cursor.expect("there is a next page");
    assert!(is_taken(&key, "after", &cursor));
    assert!(!is_taken(&CursorKey::new(b"another"), "after", &cursor));
    let at = data.len() % cursor.len();
    let other = if cursor.as_bytes()[at] == b'A' { "B" } else { "A" };
    let mut altered = cursor.clone();
    altered.replace_range(at..=at, other);
    assert!(!is_taken(&key, "after", &altered), "{altered} for {cursor}");
}

fn is_taken(key: &CursorKey, name: &str, cursor: &str) -> bool {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    let query = Query::parse(&query.append_pair(name, cursor).finish());
    let page = Page::of(&query, key, LIST.to_owned());
    page.is_ok_and(|it| it.after.is_some() || it.before.is_some())
}
