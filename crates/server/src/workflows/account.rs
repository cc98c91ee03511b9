//! Which of a user's accounts a step gets: by a rule that the workflow names, and noted in the run.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Rule, Run, refused};
use crate::accounts;
use crate::app::App;
use crate::components::{Component, app_of, name_and_type};
use crate::error::{self, Result};

/// Fills each field of an app that is empty, and gives what is used and why. A field for which
/// the user has no account stays empty; whoever prepares the run says so.
///
/// # Errors
/// [`error::ACCOUNT_AMBIGUOUS`], where there are several and the rule is `only`.
pub(super) async fn choose(
    app: &Arc<App>,
    run: &Run,
    (component, rule): (&Component, Rule),
    configured: &mut Map<String, Value>,
) -> Result<Vec<Value>> {
    let mut chosen = Vec::new();
    for prop in &component.described.props {
        let Some((name, "app")) = name_and_type(prop) else { continue };
        let Some(slug) = app_of(prop) else { continue };
        if let Some(given) = configured.get(name).filter(|it| !it.is_null()) {
            let id = &given["authProvisionId"];
            chosen.push(json!({ "prop": name, "app": slug, "account_id": id, "rule": "given",
                "of": 1 }));
            continue;
        }
        let user = run.external_id.as_str();
        // Newest first.
        let all = accounts::list_of_user(app, &run.tenant, user, Some(slug)).await?;
        let one = match rule {
            Rule::Only if all.len() > 1 => {
                let text = format!(
                    "`{name}` needs the user's account of {slug}; they have {}, and the rule is \
                     `only`.",
                    all.len()
                );
                let ids: Vec<_> = all.iter().map(|it| it.id.as_str()).collect();
                let details = json!({ "prop": name, "app": slug, "external_user_id": user,
                    "account_ids": ids });
                return Err(refused(error::ACCOUNT_AMBIGUOUS, text).with(details));
            }
            Rule::Oldest => all.last(),
            Rule::Newest | Rule::Only => all.first(),
        };
        let Some(account) = one else { continue };
        configured.insert(name.to_owned(), json!({ "authProvisionId": account.id }));
        chosen.push(json!({ "prop": name, "app": slug, "account_id": account.id,
            "rule": rule.as_str(), "of": all.len() }));
    }
    Ok(chosen)
}
