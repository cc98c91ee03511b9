//! `grantkeep config reference`.

use super::output;

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Print every setting with its default, unit and meaning, as Markdown.
    #[command(after_help = "Example:\n  grantkeep config reference > docs/configuration.md")]
    Reference,
}

pub(super) fn run(command: &Command) {
    match command {
        Command::Reference => output::line(crate::config::markdown().trim_end()),
    }
}
