//! These providers as apps of the catalogue.

use crate::provider::World;

pub(crate) fn all(_world: &World) -> Vec<(String, String)> {
    Vec::new()
}
