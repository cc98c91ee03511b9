//! The hosted flow: page, start, callback, result.
