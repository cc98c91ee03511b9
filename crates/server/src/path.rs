//! The parts of a path, by name: one handler serves paths with a project in them and without.

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;

use crate::error::{self, Error};

/// The part of the path called `id`, decoded.
pub struct Id(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let missing = || Error::from(error::NOT_FOUND);
        let params =
            RawPathParams::from_request_parts(parts, state).await.map_err(|_| missing())?;
        let found = params.iter().find(|(name, _)| *name == "id");
        found.map(|(_, value)| Self(value.to_owned())).ok_or_else(missing)
    }
}
