//! Debian's nginx as a plain reverse proxy, to compare with.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use grantkeep_torture::trouble::{Doing, Result, Trouble};
use tokio::process::{Child, Command};

use crate::stage::free_port;
use crate::upstream::Upstream;

/// Between two looks whether it listens, and how many.
const LOOK: Duration = Duration::from_millis(10);
const LOOKS_MAX: u32 = 500;

/// A running one. Killed when dropped.
pub struct Nginx {
    _child: Child,
    pub url: String,
}

impl Nginx {
    pub async fn start(folder: &Path, upstream: &Upstream) -> Result<Self> {
        let port = free_port()?;
        let file = folder.join("nginx.conf");
        std::fs::write(&file, configuration(folder, port, upstream)).doing("cannot write")?;
        let mut command = Command::new("nginx");
        command.arg("-c").arg(&file).arg("-e").arg(folder.join("nginx-error.log"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        let child = command.spawn().doing("cannot start nginx (Debian's package `nginx-light`)")?;
        for _ in 0..LOOKS_MAX {
            if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                return Ok(Self { _child: child, url: format!("http://127.0.0.1:{port}") });
            }
            tokio::time::sleep(LOOK).await;
        }
        Err(Trouble("nginx does not listen".to_owned()))
    }
}

/// As many workers as cores, connections to the upstream kept, nothing written: its best.
fn configuration(folder: &Path, port: u16, upstream: &Upstream) -> String {
    let folder = folder.display();
    format!(
        "daemon off; master_process on; worker_processes auto; pid {folder}/nginx.pid; user root;\n\
         events {{ worker_connections 1024; }}\n\
         http {{ access_log off; client_max_body_size 64m; client_body_buffer_size 256k;\n\
         client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;\n\
         fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;\n\
         keepalive_requests 100000000;\n\
         upstream app {{ server 127.0.0.1:{}; keepalive 64; keepalive_requests 100000000; }}\n\
         server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://app;\n\
         proxy_http_version 1.1; proxy_set_header Connection \"\"; }} }} }}\n",
        upstream.port
    )
}
