//! Protocol as pure functions.
