//! Where requests to an app's host go instead, in development.

use std::sync::Arc;

use hyper::Uri;
use hyper::http::uri::{Authority, PathAndQuery, Scheme};

use super::error::{EgressError, Failure};
use crate::config::{Config, Route};

/// Routes of the development profile. Without it there are none: the configuration refuses them.
#[derive(Clone)]
pub(super) struct Routes(Arc<[Route]>);

impl Routes {
    pub fn new(config: &Config) -> Self {
        Self(config.egress_dev_routes.clone().into())
    }

    /// For a client whose one URL the operator chose.
    pub fn none() -> Self {
        Self(Arc::new([]))
    }

    /// The URL that is called for `uri`, which was admitted. A port of its own is another server.
    pub fn lead(&self, uri: Uri) -> Result<Uri, EgressError> {
        if uri.port().is_some() {
            return Ok(uri);
        }
        let host = uri.host().unwrap_or_default();
        let Some(route) = self.0.iter().find(|it| it.host == host) else { return Ok(uri) };
        let wrong = || EgressError::unsent(Failure::NotAllowed, "a route leads nowhere");
        let rest = uri.path_and_query().map_or("/", PathAndQuery::as_str);
        let path = format!("{}{rest}", route.to.path().trim_end_matches('/'));
        let mut parts = uri.into_parts();
        parts.scheme = Some(Scheme::try_from(route.to.scheme()).map_err(|_| wrong())?);
        parts.authority = Some(Authority::try_from(route.to.authority()).map_err(|_| wrong())?);
        parts.path_and_query = Some(PathAndQuery::try_from(path).map_err(|_| wrong())?);
        Uri::from_parts(parts).map_err(|_| wrong())
    }
}
