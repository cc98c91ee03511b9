//! The one integration test binary: one program to link, all of it through the front door.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must fail")]

mod tidy;
