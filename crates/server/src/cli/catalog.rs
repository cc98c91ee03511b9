//! `grantkeep catalog`: a catalogue in a signed file.

use std::path::PathBuf;

use grantkeep_catalog::{Catalog, Options};
use serde_json::json;

use super::{Failure, Shell, output};
use crate::catalog_file::{self, Refused};
use crate::clock::{Clock, iso};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Pack the app files of a folder into one signed file, for the setting `catalog_file`.
    #[command(after_help = "Example:\n  \
        openssl genpkey -algorithm ed25519 -out catalog.pem\n  \
        grantkeep catalog pack --from my-apps --out apps.gkc --key catalog.pem")]
    Pack {
        /// The folder with the app files.
        #[arg(long, value_name = "FOLDER")]
        from: PathBuf,
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// The Ed25519 private key, PEM.
        #[arg(long, value_name = "KEY.pem")]
        key: PathBuf,
    },
    /// Check a file's signature and every app in it.
    Verify {
        file: PathBuf,
        /// The public key in base64; may be repeated. Without it: those in `catalog_public_keys`.
        #[arg(long, value_name = "KEY")]
        public_key: Vec<String>,
    },
}

pub(super) fn run(shell: &Shell, command: Command) -> Result<(), Failure> {
    match command {
        Command::Pack { from, out, key } => {
            let files = Catalog::files_in(&from).map_err(Refused::from)?;
            let pairs = files.iter().map(|(path, text)| (path.as_str(), text.as_str()));
            let packed = Catalog::pack(pairs, Options::default()).map_err(Refused::from)?;
            let now = iso(Clock::system().now_ms());
            let public_key = catalog_file::write(&out, &packed, &now, &key)?;
            if shell.json {
                output::json(&json!({ "apps": files.len(), "public_key": public_key }));
                return Ok(());
            }
            output::note(&format!("{} app(s) in {}", files.len(), out.display()));
            output::line(&format!("catalog_public_keys = {public_key:?}"));
        }
        Command::Verify { file, public_key } => {
            let mut keys = public_key;
            if keys.is_empty() {
                keys = shell.config()?.catalog_public_keys;
            }
            let signed = catalog_file::read(&file, &keys)?;
            let catalog = Catalog::from_packed(signed.packed, Options::default());
            let apps = catalog.map_err(Refused::from)?.entries().len();
            if shell.json {
                output::json(&json!({ "apps": apps, "made_on": signed.made_on }));
                return Ok(());
            }
            output::line(&format!("good: {apps} app(s), made on {}", signed.made_on));
        }
    }
    Ok(())
}

impl From<Refused> for Failure {
    fn from(error: Refused) -> Self {
        Self::Other(match error {
            Refused::NoKeys | Refused::BadKey(_) | Refused::KeyFile => error.to_string(),
            of_file => format!("the file {of_file}"),
        })
    }
}
