//! Answers to a revocation, in the form of `token_answer`.

use grantkeep_oauth::answer::{self, Failure};
use grantkeep_oauth::revoke;

use super::NOW_MS;
use super::token_answer::{answer, assert_failure};

pub fn run(data: &[u8]) {
    let (rules, response) = answer(data);
    let revoked = revoke::read(&rules, &response, NOW_MS);
    if let Err(failure) = &revoked {
        assert_failure(&response, failure);
    }
    if matches!(response.status, 300..400 | 429 | 500..) {
        assert!(revoked.is_err(), "taken for done with {}", response.status);
    }
    // A grant that is gone when it is refreshed is gone when it is revoked.
    if let Err(Failure::Grant(_)) = answer::read(&rules, &response, NOW_MS) {
        assert!(revoked.is_ok());
    }
}
