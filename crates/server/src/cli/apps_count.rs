//! `grantkeep apps check --all`: the whole catalogue, checked and counted.

use std::collections::BTreeMap;

use grantkeep_catalog::{Catalog, Kind, Options, Status, behaviour, check};
use serde_json::json;

use super::apps::is_error;
use super::{Failure, Shell, output};

/// Files named in an error.
const ERRORS_MAX: usize = 50;

#[derive(clap::Args)]
pub(super) struct Args {
    /// Check the apps built in too, and count all by kind, by how well they are known, and by
    /// distinct behaviour.
    #[arg(long, conflicts_with = "files")]
    pub all: bool,
    /// List the behaviours too, each with the app whose twin stands for it in tests.
    #[arg(long, requires = "all")]
    behaviours: bool,
    /// List what could still be said of each app.
    #[arg(long, requires = "all")]
    warnings: bool,
}

/// Apps of one kind of credential.
#[derive(Default)]
struct Row {
    confirmed: usize,
    single_source: usize,
    /// Connectable, and remembered more than known.
    incomplete: usize,
    not_connectable: usize,
    behaviours: usize,
}

impl Row {
    fn connectable(&self) -> usize {
        self.confirmed + self.single_source + self.incomplete
    }

    fn cells(&self, name: &str) -> Vec<String> {
        let all = self.connectable() + self.not_connectable;
        let numbers = [
            all,
            self.connectable(),
            self.confirmed,
            self.single_source,
            self.not_connectable,
            self.behaviours,
        ];
        std::iter::once(name.to_owned()).chain(numbers.iter().map(ToString::to_string)).collect()
    }
}

pub(super) fn run(
    shell: &Shell,
    catalog: &Catalog,
    (args, options): (&Args, Options),
) -> Result<(), Failure> {
    // What is compiled in or packed was checked when it was made; this looks again.
    let problems: Vec<_> =
        catalog.apps().flat_map(|it| check::app(&it.slug, &it, options)).collect();
    let errors = problems.iter().filter(|it| is_error(it));
    let errors: Vec<String> = errors.take(ERRORS_MAX).map(ToString::to_string).collect();
    if !errors.is_empty() {
        return Err(Failure::Other(errors.join("\n")));
    }
    let kinds = behaviour::kinds(catalog.apps());
    let (rows, all) = count(catalog, &kinds);
    if shell.json {
        let view = |it: &Row| {
            json!({ "connectable": it.connectable(), "confirmed": it.confirmed,
                "single_source": it.single_source, "not_connectable": it.not_connectable,
                "behaviours": it.behaviours })
        };
        let by_auth: BTreeMap<_, _> = rows.iter().map(|(name, it)| (name, view(it))).collect();
        let shown = |it: &Kind| {
            json!({ "app": it.app().slug, "apps": it.apps.len(),
                "behaviour": it.behaviour.phrases() })
        };
        let listed = args.behaviours.then(|| kinds.iter().map(shown).collect::<Vec<_>>());
        output::json(&json!({ "all": view(&all), "auth": by_auth, "warnings": problems.len(),
            "behaviours": listed }));
        return Ok(());
    }
    if args.warnings {
        for problem in &problems {
            output::line(&problem.to_string());
        }
    }
    if args.behaviours {
        let row = |it: &Kind| {
            vec![it.apps.len().to_string(), it.app().slug.clone(), it.behaviour.to_string()]
        };
        let header = &["APPS", "TWIN OF", "BEHAVIOUR"];
        output::table(header, kinds.iter().map(row).collect());
        output::line("");
    }
    let header =
        &["AUTH", "APPS", "CONNECTABLE", "CONFIRMED", "ONE SOURCE", "NOT YET", "BEHAVIOURS"];
    let rows = rows.iter().map(|(name, it)| it.cells(name)).chain([all.cells("all")]);
    output::table(header, rows.collect());
    output::line(&format!(
        "\n{} connectable apps behave in {} distinct ways; each has a twin in the tests. {} \
         warning(s).",
        all.connectable(),
        all.behaviours,
        problems.len()
    ));
    Ok(())
}

fn count<'a>(catalog: &Catalog, kinds: &'a [Kind]) -> (BTreeMap<&'a str, Row>, Row) {
    let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
    let mut all = Row::default();
    for kind in kinds {
        rows.entry(kind.app().auth_word()).or_default().behaviours += 1;
    }
    all.behaviours = kinds.len();
    for entry in catalog.entries() {
        for row in [rows.entry(entry.auth).or_default(), &mut all] {
            let place = match (entry.connectable, entry.status) {
                (false, _) => &mut row.not_connectable,
                (true, Status::Confirmed) => &mut row.confirmed,
                (true, Status::SingleSource) => &mut row.single_source,
                (true, Status::Incomplete) => &mut row.incomplete,
            };
            *place += 1;
        }
    }
    (rows, all)
}
