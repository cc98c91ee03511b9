//! What a user entered when he connected, as far as it may be shown to him again.

use std::collections::BTreeMap;

use grantkeep_catalog::App as CatalogApp;

use super::{Account, seal};
use crate::app::App;

/// The values of the app's fields that are no secrets, by field name. Empty where the account
/// cannot be opened: then they are typed once more.
pub(crate) async fn entered(
    app: &App,
    account: &Account,
    found: &CatalogApp,
) -> BTreeMap<String, String> {
    let contents = match seal::open(app, account).await {
        Ok(contents) => contents,
        Err(error) => {
            tracing::warn!(%error, account = %account.id, "an account cannot be opened");
            return BTreeMap::new();
        }
    };
    let plain = |name: &str| found.field(name).is_some_and(|it| !it.is_secret());
    let fields = contents.credentials.fields.iter().filter(|(name, _)| plain(name));
    fields.map(|(name, value)| (name.clone(), value.expose().to_owned())).collect()
}
