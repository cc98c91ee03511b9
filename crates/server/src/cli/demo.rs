//! `grantkeep demo`.

use std::path::PathBuf;

use serde_json::json;

use super::{Failure, Shell, output};
use crate::demo::{FOLDER, Options, Shop, Step, World, once, simulate};
use crate::embedded::{Folder, Trouble};

/// Columns that a step's name takes.
const NAME_COLUMNS: usize = 40;

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  grantkeep demo           # then open the address it prints\n  \
    grantkeep demo --once    # the same story without a browser, checked step by step"
)]
pub(super) struct Args {
    /// Do everything once without a browser, print each step with its time, and fail if one fails.
    #[arg(long)]
    once: bool,
    /// Port of the sample product; the server and the pretend providers take the two after it
    /// [default: any free ones].
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true,
        value_parser = clap::value_parser!(u16).range(..=65_533))]
    port: u16,
    /// Keep the data in this folder [default: a temporary one that is removed at the end].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        Self::Other(trouble.to_string())
    }
}

pub(super) async fn run(shell: &Shell, args: Args) -> Result<(), Failure> {
    let options = Options { data: args.data, port: args.port };
    if args.once { run_once(shell, &options).await } else { run_on(shell, &options).await }
}

async fn run_once(shell: &Shell, options: &Options) -> Result<(), Failure> {
    if !shell.json {
        output::line("One account from consent to revocation, on this machine alone.\n");
    }
    let report = once(options, &mut |step| {
        if !shell.json {
            output::line(&line(step));
        }
    })
    .await;
    let failed = report.steps.iter().find(|it| !it.ok);
    if shell.json {
        output::json(&json!(report));
    } else if report.ok {
        output::line(&format!("\nAll {} steps done in {} ms.", report.steps.len(), report.ms));
    }
    match failed {
        None if report.ok => Ok(()),
        None => Err(Failure::Other("not all steps were done".to_owned())),
        Some(step) => Err(Failure::Other(format!("{}: {}", step.name, step.detail))),
    }
}

fn line(step: &Step) -> String {
    let mark = if step.ok { output::paint("✓", 32) } else { output::paint("✗", 31) };
    format!("{mark} {:NAME_COLUMNS$} {:>6} ms   {}", step.name, step.ms, step.detail)
}

async fn run_on(shell: &Shell, options: &Options) -> Result<(), Failure> {
    let folder = Folder::open(options.data.as_deref(), FOLDER)?;
    let simulator = simulate(options).await?;
    let world = World::serve(options, folder, simulator).await?;
    let shop = Shop::open(options, &world).await?;
    if shell.json {
        output::json(&json!({
            "url": shop.url,
            "server": world.server(),
            "providers": world.simulator.base_url(),
            "data_dir": world.folder.path(),
        }));
    } else {
        story(&shop, &world);
    }
    crate::serve::stop_signal().await;
    output::note("\nStopping.");
    shop.stop().await;
    world.stop().await;
    Ok(())
}

fn story(shop: &Shop, world: &World) {
    let kept = if world.folder.is_kept() { "kept" } else { "removed at the end" };
    output::line(&format!(
        "Open {url}

  1. Connect Quickstep Calendar. Sign in as Ada; her password is filled in. Allow it.
  2. Acme shows her day, by a live call with her token. The token lasts five seconds:
     wait for its end, press \"Look again\", and see it replaced.
  3. Run the morning note: a workflow on her calendar, to be watched step by step.
  4. Connect Harbor Mail with the key sim_live_demo. No sign-in, the same result.
  5. Disconnect. The calendar's grant is revoked at the provider too.

Acme is a sample product; the apps are pretend services. Nothing leaves this machine.

  server     {server}
  providers  {providers}
  data       {data} ({kept})
  root key   {key}, made for this demo, readable by you alone

Ctrl-C stops everything.",
        url = shop.url,
        server = world.server(),
        providers = world.simulator.base_url(),
        data = world.folder.path().display(),
        key = world.key_file().display(),
    ));
}
