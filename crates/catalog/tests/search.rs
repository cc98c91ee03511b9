//! What people type, and which app they mean.

use grantkeep_catalog::Catalog;

/// The first of what is found must be the app that is meant.
const MEANT: &[(&str, &str)] = &[
    // As it is written.
    ("slack", "slack"),
    ("Slack", "slack"),
    (" SLACK ", "slack"),
    ("google sheets", "google_sheets"),
    ("google_sheets", "google_sheets"),
    ("google-sheets", "google_sheets"),
    ("googlesheets", "google_sheets"),
    ("hub spot", "hubspot"),
    ("quick books", "quickbooks"),
    ("mail chimp", "mailchimp"),
    // By a beginning.
    ("gith", "github"),
    ("notio", "notion"),
    ("strip", "stripe"),
    ("google she", "google_sheets"),
    ("zend", "zendesk"),
    ("airt", "airtable_oauth"),
    // By a word inside.
    ("sharepoint", "sharepoint"),
    ("excel", "microsoft_excel"),
    ("calendar google", "google_calendar"),
    ("drive google", "google_drive"),
    ("outlook calendar", "microsoft_outlook_calendar"),
    // By a name that it had, or goes by.
    ("hotmail", "microsoft_outlook"),
    ("amazon web services", "aws"),
    // With a typing error, from four letters on.
    ("slakc", "slack"),
    ("slck", "slack"),
    ("githb", "github"),
    ("gihtub", "github"),
    ("gitlba", "gitlab"),
    ("notoin", "notion"),
    ("zendeks", "zendesk"),
    ("trelo", "trello"),
    ("asanna", "asana"),
    ("stirpe", "stripe"),
    ("jirra", "jira"),
    // With two, from eight letters on.
    ("salesfroce", "salesforce_rest_api"),
    ("saelsfroce", "salesforce_rest_api"),
    ("quickboks", "quickbooks"),
    ("gogle shets", "google_sheets"),
    ("mailchinp", "mailchimp"),
    ("dropobx", "dropbox"),
    ("pipedirve", "pipedrive"),
    ("activecampagin", "activecampaign"),
];

#[test]
fn the_app_that_is_meant_comes_first() {
    let mut wrong = Vec::new();
    for (typed, meant) in MEANT {
        let found = Catalog::builtin().search(typed);
        let slugs: Vec<&str> = found.iter().take(4).map(|it| &*it.slug).collect();
        if slugs.first() != Some(meant) {
            wrong.push(format!("{typed:?}: {meant} is meant, {slugs:?} are found"));
        }
    }
    assert!(MEANT.len() >= 40 && wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_is_found_by_what_is_too_far_or_too_short() {
    for typed in ["no such app at all", "xqzwvkj", "slaaaack", "zzz"] {
        let found = Catalog::builtin().search(typed);
        assert!(found.is_empty(), "{typed}: {:?}", found.first());
    }
    let three = Catalog::builtin().search("gti");
    assert!(three.iter().all(|it| it.slug != "git"), "three letters are taken as they are");
}

#[test]
fn errors_are_forgiven_only_where_nothing_begins_so() {
    let found = Catalog::builtin().search("slack");
    assert!(found.iter().all(|it| it.slug.contains("slack") || it.name.contains("Slack")));
}

#[test]
fn any_text_can_be_searched_for() {
    let long = "a".repeat(10_000);
    for typed in ["", " ", "\u{0}", "ä", "日本", "𝔞𝔟𝔠𝔡", "%20", "a b c d e f g h", &long]
    {
        let _ = Catalog::builtin().search(typed);
    }
    assert_eq!(Catalog::builtin().search("-_.").len(), Catalog::builtin().entries().len());
}
