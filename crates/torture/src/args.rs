//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Parser, Subcommand, ValueEnum};
use grantkeep_vault::token;
use tokio::signal::unix::{SignalKind, signal};

use crate::progress::{Progress, note};
use crate::race;
use crate::refresh::{self, Plan};
use crate::report;
use crate::stage::{Engine, Ground};
use crate::trouble::{Doing, Result, Trouble};
use crate::workflows;

/// Kills the real server again and again while it refreshes tokens, and has pretend providers judge
/// what became of every grant; or while it runs workflows.
#[derive(Parser)]
#[command(name = "cargo xtask torture", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// The server, called as `PROGRAM serve` [default: `grantkeep` beside this program].
    #[arg(long, global = true, value_name = "PROGRAM")]
    server: Option<PathBuf>,
    /// A PostgreSQL server to make databases on.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "GRANTKEEP_TEST_POSTGRES_URL",
        hide_env_values = true
    )]
    postgres: Option<String>,
    /// Write a record of the run.
    #[arg(long, global = true, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Keep the servers' data and logs, and say where.
    #[arg(long, global = true)]
    keep: bool,
    /// What was tried before with this seed is tried again [default: any].
    #[arg(long, global = true, value_name = "NUMBER")]
    seed: Option<u64>,
}

#[derive(Subcommand)]
enum Command {
    /// Kill the server at every failpoint with every class of rotation, and at any moment.
    Refresh(RefreshArgs),
    /// Have several servers on one PostgreSQL asked for the same accounts at once, and freeze one
    /// in the middle of its exchanges.
    Race(RaceArgs),
    /// Kill the server while it runs workflows: no run may be lost, and no recorded step repeated.
    Workflows(WorkflowsArgs),
}

#[derive(clap::Args)]
struct WorkflowsArgs {
    /// How often.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    kills: u64,
    /// Where the runs are.
    #[arg(long, value_enum, default_value_t = Engines::Both)]
    engine: Engines,
    /// 20 kills.
    #[arg(long, conflicts_with = "kills")]
    quick: bool,
}

#[derive(clap::Args)]
struct RaceArgs {
    /// Servers in a race; may be repeated, and the races are shared out.
    #[arg(long, value_name = "NUMBER", default_values_t = [2, 5],
        value_parser = clap::value_parser!(u64).range(1..=16))]
    nodes: Vec<u64>,
    /// Races in all.
    #[arg(long, default_value_t = 4_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    races: u64,
    /// Exchanges that are frozen, in all.
    #[arg(long, default_value_t = 800, value_parser = clap::value_parser!(u64).range(..=100_000))]
    zombies: u64,
}

#[derive(clap::Args)]
struct RefreshArgs {
    /// How often.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    kills: u64,
    /// Where the accounts are.
    #[arg(long, value_enum, default_value_t = Engines::Both)]
    engine: Engines,
    /// 100 kills.
    #[arg(long, conflicts_with = "kills")]
    quick: bool,
    /// Stop at the first breach.
    #[arg(long)]
    first: bool,
}

#[derive(Clone, Copy, ValueEnum, PartialEq, Eq)]
enum Engines {
    Sqlite,
    Postgres,
    Both,
}

impl Engines {
    fn all(self) -> Vec<Engine> {
        match self {
            Self::Sqlite => vec![Engine::Sqlite],
            Self::Postgres => vec![Engine::Postgres],
            Self::Both => vec![Engine::Sqlite, Engine::Postgres],
        }
    }
}

pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = runtime.doing("the runtime").and_then(|it| it.block_on(until_told(run(cli))));
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(trouble) => {
            note(&format!("error: {trouble}"));
            ExitCode::from(2)
        }
    }
}

/// Ends early on SIGINT and SIGTERM. Servers end with the runtime, which is dropped then.
async fn until_told(run: impl Future<Output = Result<bool>>) -> Result<bool> {
    let told = signal(SignalKind::terminate());
    let mut told = told.doing("signals")?;
    let interrupted = || Err(Trouble("interrupted".to_owned()));
    tokio::select! {
        done = run => done,
        _ = told.recv() => interrupted(),
        _ = tokio::signal::ctrl_c() => interrupted(),
    }
}

async fn run(cli: Cli) -> Result<bool> {
    let ground = Ground { program: server(cli.server)?, postgres: cli.postgres, keeps: cli.keep };
    let seed = cli.seed.unwrap_or_else(any_seed);
    note(&format!("seed {seed}"));
    let begun = Instant::now();
    match cli.command {
        Command::Race(args) => {
            let parts = args.nodes.len().max(1) as u64;
            let progress = Progress::new("races", args.races);
            let mut records = Vec::new();
            for nodes in &args.nodes {
                let nodes = usize::try_from(*nodes).unwrap_or(2);
                let (races, zombies) = (args.races / parts, args.zombies / parts);
                let plan = race::Plan { nodes, races, zombies, seed };
                records.push(race::run(&ground, &plan, &progress).await?);
            }
            progress.end();
            let report = report::Race::new(seed, begun.elapsed(), records);
            report.print();
            report::write(cli.json.as_deref(), &report)?;
            Ok(report.good)
        }
        Command::Refresh(args) => {
            let kills = if args.quick { 100 } else { args.kills };
            let engines = args.engine.all();
            let lanes = if engines.len() == 1 { 2 } else { 1 };
            let progress = Progress::new("kills", kills);
            let plan = Plan { kills, engines, lanes, seed, first: args.first };
            let records = refresh::run(&ground, &plan, &progress).await;
            progress.end();
            let report = report::Refresh::new(seed, begun.elapsed(), records?);
            report.print();
            report::write(cli.json.as_deref(), &report)?;
            Ok(report.good)
        }
        Command::Workflows(args) => {
            let kills = if args.quick { 20 } else { args.kills };
            let progress = Progress::new("kills", kills);
            let plan = workflows::Plan { kills, engines: args.engine.all(), seed };
            let records = workflows::run(&ground, &plan, &progress).await;
            progress.end();
            let report = report::Workflows::new(seed, begun.elapsed(), records?);
            report.print();
            report::write(cli.json.as_deref(), &report)?;
            Ok(report.good)
        }
    }
}

fn server(named: Option<PathBuf>) -> Result<PathBuf> {
    if let Some(named) = named {
        return Ok(named);
    }
    let own = std::env::current_exe().doing("where this program is")?;
    Ok(own.with_file_name("grantkeep"))
}

fn any_seed() -> u64 {
    let digits = token::digest(token::hex("", 16).expose());
    digits.iter().take(4).fold(0, |seed, byte| seed << 8 | u64::from(*byte))
}
