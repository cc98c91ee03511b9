//! `cargo xtask catalog`: what programs do with the catalogue's files.

use crate::run;

const HELP: &str = "\
Usage: cargo xtask catalog <task>

  import FILE [--check] [--without=TEXT]...
      Write a file for every app of a JSON-lines list of facts that has none yet. --check only
      counts; --without leaves out the apps whose file would hold the text.
  icons FOLDER
      Write the shapes and colours that app files name, from the npm package simple-icons, unpacked
      in FOLDER.
";

/// An example of the catalogue's crate does the work: this package keeps to the standard library.
///
/// # Errors
/// It was used wrongly, or does not build.
pub fn run(arguments: &[&str]) -> Result<bool, String> {
    match arguments.split_first() {
        Some((&"import", rest)) if !rest.is_empty() => example("import", rest),
        Some((&"icons", [folder])) => example("icons", &[folder]),
        _ => Err(HELP.to_owned()),
    }
}

fn example(name: &str, arguments: &[&str]) -> Result<bool, String> {
    let mut cargo = run::cargo();
    cargo.args(["run", "--quiet", "--package", "grantkeep-catalog", "--example", name, "--"]);
    // The caller's folder, so that a relative path means what he sees.
    let here = std::env::current_dir().map_err(|it| it.to_string())?;
    let own = |it: &&str| {
        if here.join(it).exists() { here.join(it).display().to_string() } else { (*it).to_owned() }
    };
    cargo.args(arguments.iter().map(own));
    let status = cargo.status().map_err(|it| format!("cannot run cargo: {it}"))?;
    Ok(status.success())
}
