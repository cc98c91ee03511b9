//! The benchmark: everything in one go, side by side, judged by ratios taken in the same run.
//! `cargo xtask bench` builds what it needs and starts it; docs/benchmarks.md says what is
//! measured.

mod clones;
mod goals;
mod load;
mod measures;
mod nginx;
mod record;
mod stage;
mod upstream;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use grantkeep_torture::progress::note;
use grantkeep_torture::trouble::{Doing, Result};

use crate::measures::Plan;
use crate::record::Record;

/// Exit code when a floor does not hold.
const BELOW: u8 = 1;
/// Exit code when nothing could be measured.
const TROUBLE: u8 = 2;

#[derive(Parser)]
#[command(name = "grantkeep-bench", about = "Measures the server beside what it is compared with")]
struct Args {
    #[command(subcommand)]
    helper: Option<Helper>,
    #[command(flatten)]
    run: Run,
}

/// What the benchmark starts of itself, so that it stands in a process of its own.
#[derive(Subcommand)]
enum Helper {
    /// An app to call, a token endpoint, and a bare server that answers what the file says
    #[command(hide = true)]
    Upstream {
        #[arg(long)]
        answer: Option<PathBuf>,
    },
}

#[derive(clap::Args)]
struct Run {
    /// In less than five minutes: shorter rounds, and without PostgreSQL and timers
    #[arg(long)]
    quick: bool,
    /// The server, as `cargo build --profile dist` made it
    #[arg(long, default_value = "target/dist/grantkeep")]
    server: PathBuf,
    /// Base URL of a PostgreSQL server that databases may be made on
    #[arg(long, env = "GRANTKEEP_TEST_POSTGRES_URL", hide_env_values = true)]
    postgres: Option<String>,
    /// Measure only these: vend, proxy, run, timers, refresh, start, memory, page
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Accounts of the large store
    #[arg(long, default_value_t = 1_000_000)]
    accounts: u64,
    /// Folder for the record; none is written without it
    #[arg(long)]
    record: Option<PathBuf>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let result = runtime.doing("cannot start").and_then(|runtime| {
        runtime.block_on(async {
            match args.helper {
                Some(Helper::Upstream { answer }) => upstream::serve(answer).await.map(|()| true),
                None => run(args.run).await,
            }
        })
    });
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(BELOW),
        Err(trouble) => {
            note(&trouble.to_string());
            ExitCode::from(TROUBLE)
        }
    }
}

async fn run(run: Run) -> Result<bool> {
    let plan = Plan::of(&run)?;
    let mut record = Record::begin(&plan)?;
    measures::all(&plan, &mut record).await?;
    let held = record.judge();
    record.print();
    if let Some(folder) = &run.record {
        record.write(folder)?;
    }
    Ok(held)
}
