//! Pages of lists, newest first: an opaque signed cursor, bound to its list.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use crate::error::{self, Result};
use crate::query::Query;

/// Bytes of the cursor's signature: enough against guessing, short enough for a URL.
const TAG_BYTES: usize = 12;

/// Where a page begins: the sort key and id of the item on the other side of the boundary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boundary {
    pub key: i64,
    pub id: String,
}

/// Which page is asked: those after one item, those before one, or with both, those between, as
/// iterators ask that began with `before`.
#[derive(Debug)]
pub struct Page {
    pub limit: i64,
    pub after: Option<Boundary>,
    pub before: Option<Boundary>,
    /// Names the list and its filters, so that a cursor of another list is refused.
    list: String,
}

/// Signs cursors; made from the root key, so that all processes agree.
#[derive(Clone)]
pub struct CursorKey(hmac::Key);

impl CursorKey {
    pub fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    fn seal(&self, list: &str, boundary: &Boundary) -> String {
        let text = format!("{}.{}", boundary.key, boundary.id);
        let mut bytes = self.tag(list, &text);
        bytes.extend_from_slice(text.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn open(&self, list: &str, cursor: &str) -> Option<Boundary> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (tag, text) = bytes.split_at_checked(TAG_BYTES)?;
        let text = std::str::from_utf8(text).ok()?;
        aws_lc_rs::constant_time::verify_slices_are_equal(tag, &self.tag(list, text)).ok()?;
        let (key, id) = text.split_once('.')?;
        Some(Boundary { key: key.parse().ok()?, id: id.to_owned() })
    }

    fn tag(&self, list: &str, text: &str) -> Vec<u8> {
        let tag = hmac::sign(&self.0, format!("cursor\n{list}\n{text}").as_bytes());
        tag.as_ref()[..TAG_BYTES].to_vec()
    }
}

impl Page {
    /// Reads `limit`, `after` and `before`. `list` names the list with its tenant and filters.
    pub fn of(query: &Query, key: &CursorKey, list: String) -> Result<Self> {
        let boundary = |name| -> Result<Option<Boundary>> {
            let Some(text) = query.one(name)? else { return Ok(None) };
            Ok(Some(key.open(&list, text).ok_or(error::INVALID_CURSOR)?))
        };
        let (after, before) = (boundary("after")?, boundary("before")?);
        Ok(Self { limit: query.limit()?, after, before, list })
    }

    /// Chooses the statement for this direction, and the boundary to bind; without one, the list's
    /// own end.
    pub fn bounds(
        &self,
        forward: &'static str,
        backward: &'static str,
    ) -> (&'static str, i64, String) {
        match (&self.after, &self.before) {
            (Some(after), _) => (forward, after.key, after.id.clone()),
            (None, Some(before)) => (backward, before.key, before.id.clone()),
            (None, None) => (forward, i64::MAX, String::new()),
        }
    }

    /// Whether the nearest items come first, in the order against the list's own.
    fn is_backward(&self) -> bool {
        self.after.is_none() && self.before.is_some()
    }

    /// Cuts the page, and one item more, out of a whole list that is in the list's own order.
    ///
    /// Where the item of the cursor is gone, the page begins with the next older one; in a list
    /// that is not by time (all keys are 0), it is empty.
    pub fn cut<T>(&self, all: Vec<T>, boundary: impl Fn(&T) -> Boundary) -> Vec<T> {
        let take = usize::try_from(self.limit + 1).unwrap_or(usize::MAX);
        let at = |edge: &Boundary| all.iter().position(|item| boundary(item) == *edge);
        let older = |edge: &Boundary| {
            let place = |it: &Boundary| (std::cmp::Reverse(it.key), it.id.clone());
            let past = |item: &T| edge.key != 0 && place(&boundary(item)) > place(edge);
            all.iter().position(past)
        };
        match (&self.after, &self.before) {
            (None, None) => all.into_iter().take(take).collect(),
            (Some(edge), _) => {
                let from = at(edge).map(|nth| nth + 1).or_else(|| older(edge));
                let from = from.unwrap_or(all.len());
                all.into_iter().skip(from).take(take).collect()
            }
            (None, Some(edge)) => {
                let gone = if edge.key == 0 { 0 } else { all.len() };
                let to = at(edge).or_else(|| older(edge)).unwrap_or(gone);
                all.into_iter().take(to).rev().take(take).collect()
            }
        }
    }

    /// Makes the answer of up to `limit + 1` items: the one too many tells whether there is a
    /// further page.
    pub fn answer<T>(
        &self,
        key: &CursorKey,
        mut items: Vec<T>,
        total: i64,
        boundary: impl Fn(&T) -> Boundary,
    ) -> (Vec<T>, PageInfo) {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        if let (Some(_), Some(end)) = (&self.after, &self.before) {
            let reached = |item: &T| {
                let it = boundary(item);
                it == *end || (end.key != 0 && it.key < end.key)
            };
            let kept = items.iter().position(reached).unwrap_or(items.len());
            items.truncate(kept);
        }
        let more = items.len() > limit;
        if self.is_backward() {
            // Asked backwards, so that the nearest come first; shown in the list's own order.
            items.truncate(limit);
            items.reverse();
        } else {
            items.truncate(limit);
        }
        let cursor = |item: Option<&T>| item.map(|item| key.seal(&self.list, &boundary(item)));
        // With `before`, there is a next page for certain: the one the cursor came from.
        let has_next = if self.is_backward() { !items.is_empty() } else { more };
        let info = PageInfo {
            count: items.len(),
            total_count: total,
            start_cursor: cursor(items.first()),
            end_cursor: cursor(items.last()).filter(|_| has_next),
        };
        (items, info)
    }
}

/// What the wire says about a page. Strict clients want it in every list answer.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct PageInfo {
    pub count: usize,
    pub total_count: i64,
    pub start_cursor: Option<String>,
    /// Null on the last page, so that iterators stop without another request.
    pub end_cursor: Option<String>,
}

/// The wire's envelope of a list.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Listed<T> {
    pub data: Vec<T>,
    pub page_info: PageInfo,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_11_cursors_of_another_list_or_altered_are_refused() {
        let key = CursorKey::new(b"k");
        let boundary = Boundary { key: 7, id: "apn_x.y".into() };
        let cursor = key.seal("a", &boundary);
        assert_eq!(key.open("a", &cursor), Some(boundary));
        assert_eq!(key.open("b", &cursor), None);
        assert_eq!(CursorKey::new(b"other").open("a", &cursor), None);
        for nth in 0..cursor.len() {
            let mut altered = cursor.clone().into_bytes();
            altered[nth] = if altered[nth] == b'A' { b'B' } else { b'A' };
            assert_eq!(key.open("a", &String::from_utf8(altered).unwrap()), None);
        }
    }
}
