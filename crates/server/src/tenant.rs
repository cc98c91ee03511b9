//! Whose data it is: a project and one of its two environments. The two never mix.

use std::fmt;

use axum::http::HeaderMap;

use crate::error::{self, Error};
use crate::ids::ProjectId;

/// The header that chooses the environment.
pub const ENVIRONMENT_HEADER: &str = "x-pd-environment";

#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    Development,
    Production,
}

impl Environment {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Production => "production",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "development" => Some(Self::Development),
            "production" => Some(Self::Production),
            _ => None,
        }
    }

    /// Reads the header; `None` when it is absent. Two headers or another spelling are refused,
    /// since guessing would act on the wrong people's accounts.
    pub fn from_headers(headers: &HeaderMap) -> Result<Option<Self>, Error> {
        let mut values = headers.get_all(ENVIRONMENT_HEADER).iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => value
                .to_str()
                .ok()
                .and_then(Self::parse)
                .map(Some)
                .ok_or_else(|| error::INVALID_ENVIRONMENT.into()),
            (Some(_), Some(_)) => Err(error::INVALID_ENVIRONMENT.into()),
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The key of every look-up of tenant data.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tenant {
    pub project: ProjectId,
    pub environment: Environment,
}
