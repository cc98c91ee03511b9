//! Serves the pretend apps until its standard input ends. The first line printed is the address.

use std::net::SocketAddr;

use grantkeep_simulator::Simulator;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let simulator = Simulator::start(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    println!("{}", simulator.base_url());
    let ended = || std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    tokio::task::spawn_blocking(ended).await.map_err(std::io::Error::other)??;
    simulator.stop().await;
    Ok(())
}
