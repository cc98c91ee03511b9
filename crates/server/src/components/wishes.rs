//! What requests about one component have in common, read as clients write it.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{CONFIGURED_BYTES_MAX, field};
use crate::callers::{Anyone, InTenant};
use crate::error::{self, Result};
use crate::scope::Need;

/// Fields configured at once.
const CONFIGURED_MAX: usize = 200;

/// Which component, for whom, and how it is configured so far.
#[derive(Deserialize, utoipa::ToSchema)]
pub(crate) struct ComponentWish {
    /// The component's key.
    pub id: Option<String>,
    /// The latest without it.
    pub version: Option<String>,
    pub external_user_id: Option<String>,
    /// Values by the name of their field.
    #[schema(value_type = Option<Object>)]
    pub configured_props: Option<Map<String, Value>>,
    /// What `props` gave, where a field was looked up that way.
    pub dynamic_props_id: Option<String>,
}

impl ComponentWish {
    pub fn key(&self) -> Result<&str> {
        let key = self.id.as_deref().filter(|it| !it.is_empty());
        key.ok_or_else(|| field("id", "`id` is missing: the key of a component."))
    }

    pub fn version(&self) -> Option<&str> {
        self.version.as_deref().filter(|it| !it.is_empty())
    }

    /// The user: the body's, or the connect token's own.
    pub fn user<N: Need>(&self, call: &InTenant<Anyone, N>) -> Result<String> {
        let asked = self.external_user_id.as_deref().filter(|it| !it.is_empty());
        call.only_user(asked)?.ok_or_else(|| error::INVALID_EXTERNAL_USER.into())
    }

    /// The values, none of them larger than any field takes.
    pub fn configured(&self) -> Result<Map<String, Value>> {
        let configured = self.configured_props.clone().unwrap_or_default();
        check_configured(&configured)?;
        Ok(configured)
    }
}

/// None of the values is larger than any field takes, and they are not too many.
///
/// # Errors
/// [`error::INVALID_FIELD`].
pub(crate) fn check_configured(configured: &Map<String, Value>) -> Result<()> {
    if configured.len() > CONFIGURED_MAX {
        let text = format!("At most {CONFIGURED_MAX} fields are configured at once.");
        return Err(field("configured_props", text));
    }
    for (name, value) in configured {
        if value.to_string().len() > CONFIGURED_BYTES_MAX {
            let name: String = name.chars().filter(|it| !it.is_control()).take(80).collect();
            let text =
                format!("The value of `{name}` has over {CONFIGURED_BYTES_MAX} bytes as JSON.");
            return Err(field("configured_props", text));
        }
    }
    Ok(())
}
