//! Credentials handed out, beside a bare server that answers the same bytes.

use grantkeep_torture::trouble::{Doing, Result};

use super::Plan;
use crate::load::{Shot, side_by_side};
use crate::record::Record;
use crate::stage::{Engine, Stage};
use crate::upstream::Upstream;

const CONNECTIONS: [u32; 3] = [1, 16, 64];

pub async fn measure(
    plan: &Plan,
    (engine, few, many): (Engine, &Stage, &Stage),
    record: &mut Record,
) -> Result<()> {
    let small = few.start().await?;
    let large = many.start().await?;
    let few_shot = few.vend(&small.url);
    let many_shot = many.vend(&large.url);
    let answer = few.folder().join("answer.json");
    std::fs::write(&answer, answer_of(&few_shot).await?).doing("cannot write")?;
    let bare = Upstream::start(Some(&answer)).await?;
    let bare_shot = Shot { url: bare.url(), ..few_shot.clone() };
    for connections in CONNECTIONS {
        let shots = [&bare_shot, &few_shot, &many_shot];
        let rounds = side_by_side(&shots, connections, plan.rounds, plan.round).await?;
        record.vend(engine, connections, [rounds[0], rounds[1], rounds[2]]);
    }
    Ok(())
}

/// What the server says to one such request.
async fn answer_of(shot: &Shot) -> Result<Vec<u8>> {
    let path = shot.path.replace("{}", &"0".repeat(crate::load::DIGITS));
    let mut request = hyper::Request::get(format!("{}{path}", shot.url));
    for (name, value) in &shot.headers {
        request = request.header(name, value);
    }
    let body = http_body_util::Full::new(bytes::Bytes::new());
    let request = request.body(body).doing("a request")?;
    let client = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new())
        .build_http();
    let answer = client.request(request).await.doing("the server")?;
    let body = http_body_util::BodyExt::collect(answer.into_body()).await.doing("the answer")?;
    Ok(body.to_bytes().to_vec())
}
