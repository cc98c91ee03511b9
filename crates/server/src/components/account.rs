//! Which account a field names, and whether it may: never silently another one.

use std::sync::Arc;

use serde_json::Value;

use super::field;
use super::needed::{self, Needed};
use crate::accounts::{self, Usable};
use crate::app::App;
use crate::apps;
use crate::error::{self, Result};

/// The account that a field's value names, with credentials good for now. `None`: the field is
/// empty, and may be.
///
/// # Errors
/// [`error::ACCOUNT_NEEDED`] when it is empty and must not be; [`error::NOT_FOUND`] for an account
/// that is not this user's; [`error::INVALID_FIELD`] for one of another app;
/// [`error::REAUTH_REQUIRED`] for one that no longer works; those of [`accounts::usable`].
pub(super) async fn resolve(
    app: &Arc<App>,
    it: &Needed<'_>,
    (value, optional): (Option<&Value>, bool),
) -> Result<Option<Usable>> {
    let Needed { tenant, external_id, prop, app_slug, .. } = *it;
    let id = match value {
        None | Some(Value::Null) => None,
        Some(value) => match value.get("authProvisionId").and_then(Value::as_str) {
            Some(id) if !id.is_empty() => Some(id),
            _ => {
                return Err(field(
                    prop,
                    format!("`{prop}` names an account: {{\"authProvisionId\": \"apn_...\"}}."),
                ));
            }
        },
    };
    let Some(id) = id else {
        return if optional { Ok(None) } else { Err(needed::missing(app, it).await) };
    };
    let found = accounts::find(app, tenant, id, Some(external_id)).await.map_err(|error| {
        if error.kind().status != 404 {
            return error;
        }
        let text =
            format!("`{prop}` names an account that this user does not have in this environment.");
        error::NOT_FOUND.saying(text).with(serde_json::json!({ "field": prop }))
    })?;
    if !is_of(app, it, &found.app_slug).await {
        let of = &found.app_slug;
        return Err(field(
            prop,
            format!("`{prop}` wants an account of {app_slug}, and names one of {of}."),
        ));
    }
    match accounts::usable_of(app, found.clone(), None).await {
        Ok(usable) => Ok(Some(usable)),
        Err(error) if error.kind().code == error::REAUTH_REQUIRED.code => {
            let now = accounts::find(app, tenant, id, Some(external_id)).await.unwrap_or(found);
            Err(needed::broken(app, it, &now).await)
        }
        Err(error) => Err(error),
    }
}

/// Whether an account of that app is of the field's app, by whichever name it calls it.
async fn is_of(app: &App, it: &Needed<'_>, slug: &str) -> bool {
    if it.app_slug == slug {
        return true;
    }
    let found = apps::find(app, &it.tenant.project, it.app_slug).await;
    found.is_ok_and(|found| found.slug == slug)
}
