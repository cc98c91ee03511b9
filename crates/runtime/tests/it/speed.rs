//! What a worker adds to a run. Not a benchmark: numbers for whoever asks with `--run-ignored`.

use std::sync::Arc;
use std::time::Instant;

use grantkeep_runtime::{Op, Wanted};

use crate::world::{Recorder, World, action, input, key, world_with};

const RUNS: usize = 1_000;

async fn run(world: &World, name: &str) -> f64 {
    let began = Instant::now();
    let op = Op::run(input());
    let code = action("return 1;");
    let host = Arc::new(Recorder::default());
    world.pool.perform(&key(name), &code, op, host).await.unwrap();
    began.elapsed().as_secs_f64() * 1_000.0
}

fn middle(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures: cargo nextest run --run-ignored only --no-capture speed"]
async fn speed() {
    let world = world_with(Wanted::Best, |it| (it.warm, it.workers_max) = (2, 16)).await;
    let mut cold = Vec::new();
    for number in 0..8 {
        while world.pool.warm() < 2 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        cold.push(run(&world, &format!("cold {number}")).await);
    }
    let mut warm = Vec::new();
    for _ in 0..RUNS {
        warm.push(run(&world, "warm").await);
    }
    let began = Instant::now();
    let two = ["a", "b"].map(|name| {
        let world = &world;
        async move {
            for _ in 0..RUNS {
                run(world, name).await;
            }
        }
    });
    futures::future::join_all(two).await;
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let rate = 2.0 * RUNS as f64 / began.elapsed().as_secs_f64();
    let (cold, warm) = (middle(cold), middle(warm));
    println!("cold p50 {cold:.1} ms, warm p50 {warm:.2} ms, {rate:.0} runs/s over two workers");
}
