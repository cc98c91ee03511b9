//! `docs/configuration.md`, written from the records.

use std::fmt::Write;

use super::settings::{SETTINGS, Setting};
use super::{FILE, FILE_VARIABLE, env_name};

/// The whole reference, as Markdown.
pub fn markdown() -> String {
    let mut page = format!(
        "# Configuration\n\n<!-- Written by `grantkeep config reference`. Do not edit. -->\n\n\
         Every setting can stand in `{FILE}` (in the working directory, or where `--config` or \
         `{FILE_VARIABLE}` says) under its name, and in the environment under `GRANTKEEP_` and its \
         name in capitals. The environment wins. A name that is not listed here is refused in the \
         file.\n\nA setting marked *secret* can come from a file instead: add `_file` to its name \
         and give the path, such as `root_key_file = \"/run/secrets/root_key\"`. The file must not \
         be readable by everyone.\n\nLists are TOML arrays of strings in the file and separated by \
         commas in the environment.\n"
    );
    let mut section = "";
    for setting in SETTINGS {
        if setting.section != section {
            section = setting.section;
            let _ = write!(page, "\n## {section}\n");
        }
        entry(&mut page, setting);
    }
    page
}

/// One setting. Writing to a `String` cannot fail.
fn entry(page: &mut String, setting: &Setting) {
    let _ = write!(page, "\n### `{}`\n\n{}\n\n", setting.key, setting.help());
    let _ = writeln!(page, "- Environment: `{}`", env_name(setting.key));
    let secret = if setting.secret { " (*secret*)" } else { "" };
    let _ = writeln!(page, "- Takes: {}{}{secret}", setting.kind, bounds(setting));
    let default = match setting.default {
        "" => "not set".to_owned(),
        text => format!("`{text}`"),
    };
    let _ = writeln!(page, "- Default: {default}");
}

fn bounds(setting: &Setting) -> String {
    setting.bounds.map(|(least, most)| format!(", {least} to {most}")).unwrap_or_default()
}
