//! Expired accounts, each asked for once; and one that many ask for at once.

use std::time::Instant;

use futures::{StreamExt, stream};
use grantkeep_torture::outside::Said;
use grantkeep_torture::progress::Progress;
use grantkeep_torture::trouble::{Doing, Result, Trouble};

use crate::clones;
use crate::load::DIGITS;
use crate::record::Record;
use crate::stage::Stage;
use crate::upstream::Upstream;

pub const ACCOUNTS: u64 = 10_000;
/// Callers at once.
const CALLERS: usize = 64;

pub async fn measure((stage, upstream): (&Stage, &Upstream), record: &mut Record) -> Result<()> {
    let running = stage.start().await?;
    let outside = &running.outside;
    let before = tokens(upstream).await?;
    let same: Vec<Said> =
        futures::future::join_all((0..CALLERS).map(|_| outside.vend(&stage.model))).await;
    all_good(&same)?;
    let between = tokens(upstream).await?;
    let progress = Progress::new("refreshes", ACCOUNTS);
    let began = Instant::now();
    let said: Vec<Said> = stream::iter(0..ACCOUNTS)
        .map(|nth| {
            let (name, progress) = (clones::account(&format!("{nth:0DIGITS$}")), progress.clone());
            async move {
                let said = outside.vend(&name).await;
                progress.step(1);
                said
            }
        })
        .buffer_unordered(CALLERS)
        .collect()
        .await;
    let took = began.elapsed();
    progress.end();
    all_good(&said)?;
    let after = tokens(upstream).await?;
    record.refresh(between - before, after - between, took);
    Ok(())
}

fn all_good(said: &[Said]) -> Result<()> {
    match said.iter().find(|it| !matches!(it, Said::Token(_))) {
        None => Ok(()),
        Some(bad) => Err(Trouble(format!("a refresh failed: {bad:?}"))),
    }
}

/// How often the app was asked for a token.
async fn tokens(upstream: &Upstream) -> Result<u64> {
    let client = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new())
        .build_http::<http_body_util::Empty<bytes::Bytes>>();
    let url = format!("{}/tokens", upstream.url()).parse().doing("the upstream")?;
    let answer = client.get(url).await.doing("the upstream")?;
    let body = http_body_util::BodyExt::collect(answer.into_body()).await.doing("the upstream")?;
    String::from_utf8_lossy(&body.to_bytes()).parse().doing("the upstream's count")
}
