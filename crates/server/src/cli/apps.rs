//! `grantkeep apps`: the catalogue, and checks of app files.

use std::path::PathBuf;

use grantkeep_catalog::{App, Catalog, Options, Problem, Severity, check};
use serde_json::{Value, json};

use super::{Failure, Shell, output};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// List apps, the most used first.
    List {
        /// Part of a name; former names count.
        query: Option<String>,
    },
    /// Show what is known of an app.
    Show {
        /// The app's slug, such as `github`.
        slug: String,
    },
    /// Check app files and explain what is wrong in them. Without files: those built in and those
    /// in `catalog_dir`.
    #[command(after_help = "Example:\n  grantkeep apps check my-apps/acme.toml")]
    Check { files: Vec<PathBuf> },
}

pub(super) fn run(shell: &Shell, command: Command) -> Result<(), Failure> {
    let config = shell.load()?.config;
    if let Command::Check { files } = command {
        let options = Options { allow_loopback: config.egress_allow_loopback };
        return check_files(shell, files, config.catalog_dir, options);
    }
    let catalog = crate::boot::catalog(&config)?;
    match command {
        Command::List { query } => list(shell, &catalog, query.as_deref().unwrap_or_default()),
        Command::Show { slug } => show(shell, &catalog, &slug)?,
        Command::Check { .. } => {}
    }
    Ok(())
}

fn list(shell: &Shell, catalog: &Catalog, query: &str) {
    let mut found = catalog.search(query);
    if query.is_empty() {
        found.sort_by_key(|it| (std::cmp::Reverse(it.popularity), &it.slug));
    }
    if shell.json {
        let view = |it: &&App| {
            json!({ "slug": it.slug, "name": it.name, "auth_type": it.wire_auth_type(),
                "categories": it.categories, "confirmed": it.evidence.confirmed })
        };
        output::json(&Value::Array(found.iter().map(view).collect()));
        return;
    }
    let count = found.len();
    let row = |it: &App| {
        vec![
            it.slug.clone(),
            it.name.clone(),
            it.wire_auth_type().to_owned(),
            it.categories.join(", "),
        ]
    };
    output::table(&["SLUG", "NAME", "AUTH", "CATEGORIES"], found.into_iter().map(row).collect());
    output::note(&format!("{count} app(s)"));
}

fn show(shell: &Shell, catalog: &Catalog, slug: &str) -> Result<(), Failure> {
    let Some(app) = catalog.find(slug) else {
        let near: Vec<_> =
            catalog.search(slug).into_iter().take(3).map(|it| it.slug.as_str()).collect();
        let hint = if near.is_empty() {
            String::new()
        } else {
            format!(" Did you mean {}?", near.join(", "))
        };
        return Err(Failure::Missing(format!("There is no app `{slug}`.{hint}")));
    };
    let scopes = app.oauth2().map(|auth| auth.scopes.asked().join(" ")).unwrap_or_default();
    let fields: Vec<_> = app.fields.iter().map(|field| field.name.clone()).collect();
    let hosts = app.proxy.as_ref().map(|proxy| proxy.base_url.clone()).unwrap_or_default();
    if shell.json {
        output::json(&json!({ "slug": app.slug, "id": app.id, "name": app.name,
            "description": app.description, "auth_type": app.wire_auth_type(),
            "categories": app.categories, "scopes": scopes, "fields": fields,
            "api": hosts, "confirmed": app.evidence.confirmed,
            "checked_on": app.evidence.checked_on,
            "notes": app.evidence.notes }));
        return Ok(());
    }
    let mut rows = vec![
        ("name", app.name.clone()),
        ("slug", app.slug.clone()),
        ("about", app.description.clone()),
        ("home page", app.homepage.clone()),
        ("connects by", app.wire_auth_type().to_owned()),
        ("scopes asked", scopes),
        ("fields asked", fields.join(", ")),
        ("API", hosts),
        (
            "confirmed by",
            format!("{} list(s), {}", app.evidence.confirmed, app.evidence.checked_on),
        ),
    ];
    rows.extend(app.evidence.notes.iter().map(|note| ("note", note.clone())));
    for (name, value) in rows.into_iter().filter(|(_, value)| !value.is_empty()) {
        output::line(&format!("{name:<13} {value}"));
    }
    Ok(())
}

fn check_files(
    shell: &Shell,
    files: Vec<PathBuf>,
    dir: Option<PathBuf>,
    options: Options,
) -> Result<(), Failure> {
    let mut texts: Vec<(String, String)> = Vec::new();
    if files.is_empty() {
        let builtin = Catalog::builtin_files().iter();
        texts.extend(builtin.map(|(path, text)| ((*path).to_owned(), (*text).to_owned())));
        if let Some(dir) = dir {
            Catalog::builtin().with_dir(&dir, options).map_err(crate::boot::BootError::from)?;
        }
    }
    for file in files {
        let text = std::fs::read_to_string(&file)
            .map_err(|error| Failure::Other(format!("cannot read {}: {error}", file.display())))?;
        texts.push((file.display().to_string(), text));
    }
    let problems: Vec<_> =
        texts.iter().flat_map(|(path, text)| check::file(path, text, options)).collect();
    let errors = problems.iter().filter(|it| is_error(it)).count();
    if shell.json {
        let view = |it: &Problem| json!({ "problem": it.to_string(), "error": is_error(it) });
        output::json(&Value::Array(problems.iter().map(view).collect()));
    } else {
        for problem in &problems {
            output::line(&problem.to_string());
        }
        let warnings = problems.len() - errors;
        output::note(&format!("{} file(s), {errors} error(s), {warnings} warning(s)", texts.len()));
    }
    if errors > 0 {
        return Err(Failure::Other(format!("{errors} error(s) must be mended")));
    }
    Ok(())
}

fn is_error(problem: &Problem) -> bool {
    problem.severity == Severity::Error
}
