//! Apps as data.
