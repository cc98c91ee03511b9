//! `grantkeep apps`: the catalogue, and checks of app files.

use std::path::PathBuf;
use std::sync::Arc;

use grantkeep_catalog::{App, Catalog, Entry, Filter, Options, Problem, Severity, Status, check};
use serde_json::{Value, json};

use super::{Failure, Shell, apps_count, apps_new, apps_own, apps_try, output};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// List apps, the most used first.
    List {
        /// What somebody might type: part of a name, words, a former name; errors are forgiven.
        query: Option<String>,
        #[command(flatten)]
        wish: Wish,
        /// Only those that this project added for itself.
        #[arg(long, value_name = "ID", conflicts_with = "query")]
        project: Option<String>,
    },
    /// Show what is known of an app.
    Show {
        /// The app's slug, such as `github`.
        slug: String,
        /// As this project has it, which may have an app of its own of that slug.
        #[arg(long, value_name = "ID")]
        project: Option<String>,
    },
    /// Check app files and explain what is wrong in them. Without files: those in `catalog_dir`.
    #[command(after_help = "Example:\n  grantkeep apps check my-apps/acme.toml")]
    Check {
        files: Vec<PathBuf>,
        #[command(flatten)]
        more: apps_count::Args,
    },
    /// Write a file for an app of your own, to be filled in.
    New(apps_new::Args),
    Try(apps_try::Args),
    #[command(flatten)]
    Own(apps_own::Command),
}

#[derive(clap::Args)]
pub(super) struct Wish {
    /// `oauth`, `keys`, `none`, or a word of app files, such as `basic`.
    #[arg(long, value_name = "KIND")]
    auth_type: Option<String>,
    /// How well an app is known.
    #[arg(long, value_parser = ["confirmed", "single_source", "incomplete"])]
    evidence: Option<String>,
    /// How many sources must say the same.
    #[arg(long, default_value_t = 0, value_name = "NUMBER")]
    confirmed_min: u32,
    /// Apps too of which too little is known to connect them.
    #[arg(long)]
    include_unconnectable: bool,
}

impl Wish {
    fn filter(self) -> Filter {
        let evidence = self.evidence.as_deref().and_then(Status::named);
        Filter {
            auth_type: self.auth_type,
            evidence,
            confirmed_min: self.confirmed_min,
            unconnectable: self.include_unconnectable || evidence == Some(Status::Incomplete),
        }
    }
}

pub(super) async fn run(shell: &Shell, command: Command) -> Result<(), Failure> {
    match command {
        Command::New(args) => apps_new::run(&args, &apps_own::today()),
        Command::Try(args) => Box::pin(apps_try::run(shell, args)).await,
        Command::Own(command) => apps_own::run(shell, command).await,
        Command::List { project: Some(project), .. } => apps_own::list(shell, &project).await,
        Command::Show { slug, project: Some(project) } => {
            let app = apps_own::wanted(shell, &project, &slug).await?;
            show(shell, &app);
            Ok(())
        }
        other => look(shell, other),
    }
}

fn look(shell: &Shell, command: Command) -> Result<(), Failure> {
    let config = shell.config()?;
    if let Command::Check { files, more } = command {
        let options = Options { allow_loopback: config.egress_allow_loopback };
        if more.all && shell.json {
            // One document, that of the whole.
            return apps_count::run(shell, &crate::boot::catalog(&config)?, (&more, options));
        }
        check_files(shell, files, config.catalog_dir.clone(), options)?;
        if more.all {
            apps_count::run(shell, &crate::boot::catalog(&config)?, (&more, options))?;
        }
        return Ok(());
    }
    let catalog = crate::boot::catalog(&config)?;
    match command {
        Command::List { query, wish, .. } => {
            list(shell, &catalog, query.as_deref().unwrap_or_default(), &wish.filter());
        }
        Command::Show { slug, .. } => show(shell, &*wanted(&catalog, &slug)?),
        _ => {}
    }
    Ok(())
}

fn list(shell: &Shell, catalog: &Catalog, query: &str, filter: &Filter) {
    let mut found = catalog.search(query);
    found.retain(|it| filter.takes(it));
    let categories = |it: &Entry| it.categories().collect::<Vec<_>>();
    if shell.json {
        let view = |it: &&Entry| {
            json!({ "slug": it.slug, "name": it.name, "auth_type": it.wire_auth_type,
                "categories": categories(it), "confirmed": it.confirmed,
                "evidence": it.status.as_str(), "connectable": it.connectable })
        };
        output::json(&Value::Array(found.iter().map(view).collect()));
        return;
    }
    let count = found.len();
    let row = |it: &Entry| {
        vec![
            it.slug.to_string(),
            it.name.to_string(),
            it.wire_auth_type.to_owned(),
            it.status.as_str().to_owned(),
            categories(it).join(", "),
        ]
    };
    let header = &["SLUG", "NAME", "AUTH", "KNOWN", "CATEGORIES"];
    output::table(header, found.into_iter().map(row).collect());
    output::note(&format!("{count} app(s)"));
}

/// The app of that name.
pub(super) fn wanted(catalog: &Catalog, slug: &str) -> Result<Arc<App>, Failure> {
    if let Some(app) = catalog.find(slug) {
        return Ok(app);
    }
    let near: Vec<_> = catalog.search(slug).into_iter().take(3).map(|it| &*it.slug).collect();
    let hint =
        if near.is_empty() { String::new() } else { format!(" Did you mean {}?", near.join(", ")) };
    Err(Failure::Missing(format!("There is no app `{slug}`.{hint}")))
}

fn show(shell: &Shell, app: &App) {
    let scopes = app.oauth2().map(|auth| auth.scopes.asked().join(" ")).unwrap_or_default();
    let fields: Vec<_> = app.fields.iter().map(|field| field.name.clone()).collect();
    let hosts = app.proxy.as_ref().map(|proxy| proxy.base_url.clone()).unwrap_or_default();
    if shell.json {
        output::json(&json!({ "slug": app.slug, "id": app.id, "name": app.name,
            "description": app.description, "auth_type": app.wire_auth_type(),
            "categories": app.categories, "scopes": scopes, "fields": fields,
            "api": hosts, "confirmed": app.evidence.confirmed,
            "checked_on": app.evidence.checked_on,
            "evidence": app.evidence.status().as_str(), "missing": app.evidence.missing,
            "notes": app.evidence.notes }));
        return;
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
            format!("{} source(s), {}", app.evidence.confirmed, app.evidence.checked_on),
        ),
        ("missing", app.evidence.missing.join("; ")),
    ];
    rows.extend(app.evidence.notes.iter().map(|note| ("note", note.clone())));
    for (name, value) in rows.into_iter().filter(|(_, value)| !value.is_empty()) {
        output::line(&format!("{name:<13} {value}"));
    }
}

fn check_files(
    shell: &Shell,
    files: Vec<PathBuf>,
    dir: Option<PathBuf>,
    options: Options,
) -> Result<(), Failure> {
    let mut texts: Vec<(String, String)> = Vec::new();
    if files.is_empty()
        && let Some(dir) = dir
    {
        texts = Catalog::files_in(&dir).map_err(crate::boot::BootError::from)?;
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
        let files = match texts.len() {
            0 => String::new(),
            count => format!("{count} file(s), "),
        };
        output::note(&format!("{files}{errors} error(s), {warnings} warning(s)"));
    }
    if errors > 0 {
        return Err(Failure::Other(format!("{errors} error(s) must be mended")));
    }
    Ok(())
}

pub(super) fn is_error(problem: &Problem) -> bool {
    problem.severity == Severity::Error
}
