//! From the start of the process until it answers, with all accounts there.

use grantkeep_torture::trouble::Result;

use super::Plan;
use crate::load::median;
use crate::record::Record;
use crate::stage::{Engine, Stage};

pub async fn measure(
    plan: &Plan,
    (stage, engine): (&Stage, Engine),
    record: &mut Record,
) -> Result<()> {
    let mut times = Vec::new();
    for _ in 0..plan.rounds {
        let mut running = stage.start().await?;
        times.push(running.ready_in.as_secs_f64() * 1e3);
        running.server.kill().await?;
    }
    record.start(engine, median(times));
    Ok(())
}
