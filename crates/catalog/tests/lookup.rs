//! Finding apps, and how three of them look to the code that uses them.

use grantkeep_catalog::{Catalog, RotationClass};

fn slugs(query: &str) -> Vec<&'static str> {
    Catalog::builtin().search(query).iter().map(|it| &*it.slug).collect()
}

#[test]
fn the_best_match_comes_first() {
    assert_eq!(slugs("slack")[0], "slack");
    assert_eq!(slugs("Google Sheets")[0], "google_sheets");
    assert_eq!(slugs("google-sheets"), slugs("GOOGLESHEETS"));
    assert_eq!(slugs("gmail")[0], "gmail");
    let google = slugs("goo");
    assert_eq!(google[0], "google_sheets", "the most popular of those that begin so");
    assert!(google.len() >= 9 && google.iter().any(|it| it.starts_with("google")));
}

#[test]
fn words_inside_and_former_names_are_found() {
    assert_eq!(slugs("drive")[0], "google_drive");
    assert!(slugs("drive").contains(&"microsoft_onedrive"));
    assert!(slugs("drive").contains(&"pipedrive"));
    assert_eq!(slugs("hotmail"), ["microsoft_outlook"]);
    assert_eq!(slugs("amazon web services"), ["aws"]);
    assert!(slugs("sheet").contains(&"google_sheets"));
    assert!(slugs("outlook").contains(&"microsoft_outlook_calendar"));
    assert!(slugs("no such app").is_empty());
}

#[test]
fn nothing_asked_finds_all_by_popularity() {
    let all = Catalog::builtin().search(" _-");
    assert_eq!(all.len(), Catalog::builtin().entries().len());
    assert!(all.len() >= 60);
    assert!(all.is_sorted_by(|a, b| a.popularity >= b.popularity));
}

#[test]
fn an_app_is_found_by_slug_and_by_id() {
    let catalog = Catalog::builtin();
    let slack = catalog.get("slack").unwrap();
    assert_eq!(slack.id, "app_JouxBNbBb92");
    assert_eq!(catalog.find(&slack.id).unwrap().slug, "slack");
    assert_eq!(catalog.find("slack").unwrap().id, slack.id);
    assert!(catalog.find("app_nobody").is_none());
    assert!(catalog.entries().is_sorted_by(|a, b| a.slug < b.slug));
}

#[test]
fn categories_are_closed_and_have_ids() {
    let categories = Catalog::builtin().categories();
    assert!(categories.iter().all(|it| it.id.starts_with("appcat_") && it.id.len() == 18));
    for app in Catalog::builtin().apps() {
        for name in &app.categories {
            assert!(categories.iter().any(|it| it.name == name), "{}: {name}", app.slug);
        }
    }
}

#[test]
fn icons_are_plain_shapes() {
    let mut with = 0;
    for app in Catalog::builtin().apps() {
        let Some(shape) = app.icon_shape() else { continue };
        with += 1;
        assert!(app.brand_color().is_some(), "{} has no colour for its tile", app.slug);
        let plain = |it: char| "MmLlHhVvCcSsQqTtAaZz0123456789 .,+-e".contains(it);
        assert!(shape.chars().all(plain) && shape.len() < 32_768, "{}", app.slug);
    }
    assert!(with >= 450, "{with}");
}

#[test]
fn scopes_are_joined_with_those_always_asked() {
    let sheets = Catalog::builtin().get("google_sheets").unwrap();
    let sheets = sheets.oauth2().unwrap();
    let scope = |name: &str| format!("https://www.googleapis.com/auth/{name}");
    let read_only = sheets.scopes.profile("read_only").unwrap();
    assert_eq!(read_only, [&scope("spreadsheets.readonly"), "openid", &scope("userinfo.email")]);
    assert!(sheets.scopes.asked().contains(&scope("spreadsheets").as_str()));
    assert!(sheets.scopes.profile("owner").is_none());
    assert_eq!(sheets.scopes.words["openid"], "");
}

#[test]
fn an_unknown_rotation_is_the_strictest() {
    let notion = Catalog::builtin().get("notion").unwrap();
    let notion = notion.oauth2().unwrap();
    assert_eq!(notion.rotation.class, RotationClass::P7);
    assert!(!notion.rotation.class.survives_retry());
    let xero = Catalog::builtin().get("xero_accounting_api").unwrap();
    let xero = xero.oauth2().unwrap();
    assert_eq!((xero.rotation.class, xero.rotation.grace_s), (RotationClass::P3, Some(1_800)));
}

#[test]
fn three_apps_as_the_code_sees_them() {
    for slug in ["quickbooks", "trello", "twilio"] {
        insta::assert_debug_snapshot!(slug, Catalog::builtin().get(slug).unwrap());
    }
}

#[test]
fn the_index_says_of_every_app_what_the_app_says() {
    let catalog = Catalog::builtin();
    for (entry, app) in catalog.entries().zip(catalog.apps()) {
        let of_app = (&*app.slug, app.is_connectable(), app.needs_client());
        assert_eq!((&*entry.slug, entry.connectable, entry.needs_client), of_app);
    }
}
