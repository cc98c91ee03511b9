use super::*;
use crate::Catalog;

const HEAD: &str = r#"
slug = "x"
name = "X"
description = "X."
homepage = "https://x.example"
categories = []
popularity = 1
purpose = "see"
evidence = { confirmed = 1, checked_on = "2026-11-22" }
auth = "keys"
"#;

fn phrases(rest: &str) -> Vec<String> {
    let app = crate::file::read("x.toml", &format!("{HEAD}{rest}")).unwrap();
    Behaviour::of(&app).phrases().to_vec()
}

fn key_in(header: &str, text: &str) -> Vec<String> {
    phrases(&format!(
        "fields = [{{ name = \"api_key\", label = \"Key\", kind = \"password\" }}]\n\
         [proxy]\nbase_url = \"https://api.x.example\"\n\
         headers = {{ {header} = \"{text}\" }}"
    ))
}

#[test]
fn names_make_no_difference_and_places_do() {
    assert_eq!(key_in("x-key", "${api_key}"), key_in("x-other-key", "${api_key}"));
    assert_eq!(key_in("x-key", "${api_key}"), ["keys", "header: {secret}"]);
    let bearer = key_in("authorization", "Bearer ${api_key}");
    assert_eq!(bearer, ["keys", "header authorization: ..{secret}"]);
    assert_eq!(bearer, key_in("Authorization", "Token ${api_key}"));
    assert_ne!(bearer, key_in("authorization", "${api_key}"));
    let basic = key_in("authorization", "Basic ${base64(${api_key}:)}");
    assert_eq!(basic[1], "header authorization: ..base64({secret}..)");
}

#[test]
fn values_in_addresses_are_told() {
    let url = |url: &str| {
        phrases(&format!(
            "fields = [{{ name = \"it\", label = \"It\", host = {{ form = \"label\" }} }}]\n\
             [proxy]\nbase_url = \"{url}\""
        ))
    };
    assert_eq!(url("https://a.example/b"), ["keys", "field: label"]);
    assert_eq!(url("https://${it}.example/b")[2], "API: part of the host from a value");
    assert_eq!(url("https://${it}/b")[2], "API: host from a value");
    assert_eq!(url("${it}/b")[2], "API: origin from a value");
    assert_eq!(url("https://a.example/${it}")[2], "API: value in the path");
    assert_eq!(url("https://a.example/b?c=${it}")[2], "API: value in the query");
    assert_eq!(url("https://a.example/b?c=d")[2], "API: query of its own");
}

#[test]
fn every_app_is_of_one_kind_and_the_most_popular_stands_for_it() {
    let kinds = kinds(Catalog::builtin().apps());
    let connectable = Catalog::builtin().entries().filter(|it| it.connectable).count();
    assert_eq!(kinds.iter().map(|it| it.apps.len()).sum::<usize>(), connectable);
    for kind in &kinds {
        assert!(kind.apps.iter().all(|it| it.popularity <= kind.apps[0].popularity));
        assert!(kind.apps.iter().all(|it| Behaviour::of(it) == kind.behaviour));
    }
    assert!(kinds.windows(2).all(|two| two[0].apps.len() >= two[1].apps.len()));
    let backwards: Vec<_> = Catalog::builtin().apps().collect();
    let again = super::kinds(backwards.into_iter().rev());
    let names = |kinds: &[Kind]| kinds.iter().map(|it| it.apps[0].slug.clone()).collect::<Vec<_>>();
    assert_eq!(names(&kinds), names(&again), "the order of the files says nothing");
}
