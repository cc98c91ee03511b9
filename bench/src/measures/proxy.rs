//! Calls through the proxy, beside nginx and the app itself.

use grantkeep_torture::trouble::Result;

use super::Plan;
use crate::load::{Shot, side_by_side};
use crate::nginx::Nginx;
use crate::record::Record;
use crate::stage::Stage;
use crate::upstream::Upstream;

const CONNECTIONS: [u32; 2] = [1, 16];
const BODY_BYTES: usize = 100_000;

pub async fn measure(
    plan: &Plan,
    (stage, upstream): (&Stage, &Upstream),
    record: &mut Record,
) -> Result<()> {
    let ours = stage.start().await?;
    let nginx = Nginx::start(stage.folder(), upstream).await?;
    for (method, body_bytes) in [("GET", 0), ("POST", BODY_BYTES)] {
        let mut through = stage.proxied(&ours.url, method, "/items");
        through.body_bytes = body_bytes;
        let straight = |url: &str| Shot {
            url: url.to_owned(),
            method,
            path: "/items".to_owned(),
            count: 1,
            headers: Vec::new(),
            body_bytes,
            json: None,
        };
        let (direct, plain) = (straight(&upstream.url()), straight(&nginx.url));
        for connections in CONNECTIONS {
            let shots = [&direct, &plain, &through];
            let rounds = side_by_side(&shots, connections, plan.rounds, plan.round).await?;
            record.proxy(method, connections, [rounds[0], rounds[1], rounds[2]]);
        }
    }
    Ok(())
}
