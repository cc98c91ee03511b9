//! The parts of a path, by name: one handler serves paths with a project in them and without.

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::error::{self, Error};

/// All parts of the path, decoded. What cannot be decoded names nothing that is there.
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let read = axum::extract::Path::from_request_parts(parts, state).await;
        read.map(|it| Self(it.0)).map_err(|_| error::NOT_FOUND.into())
    }
}

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
