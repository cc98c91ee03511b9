//! What a run may ask for. The one who starts it answers.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWriteExt, BufReader, Take};
use tokio::net::UnixStream;

use crate::{Authority, CallError, Notice};

/// The bytes of a file that a run made, and no more.
pub type FileBody = Take<BufReader<UnixStream>>;

/// Where code wants to connect to. Chosen by the code: judge it as such.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Target {
    pub host: String,
    pub port: u16,
}

/// Answers what one run asks for. All of it may be called at once, from several connections.
///
/// What is under way when the run ends is dropped: a host must stand being stopped at any await.
pub trait Host: Send + Sync + 'static {
    /// Something the run says. Called in the order of saying; must not block.
    fn notice(&self, notice: Notice);

    /// A call of the protocol, such as `db.get`.
    fn call(
        &self,
        method: &str,
        params: Value,
    ) -> impl Future<Output = Result<Value, CallError>> + Send;

    /// A connection that code wants. Begins with one line ([`accept`] or [`refuse`]), then moves
    /// bytes. Toward the code TLS ends here, with certificates by `authority`.
    fn connect(
        &self,
        target: Target,
        authority: Arc<Authority>,
        stream: UnixStream,
    ) -> impl Future<Output = ()> + Send;

    /// A file that the run left in its stash. The body must be read to its end, or refused.
    fn file(
        &self,
        path: &str,
        bytes: u64,
        body: &mut FileBody,
    ) -> impl Future<Output = Result<(), CallError>> + Send;
}

/// The one line that begins a connection which is made.
pub async fn accept<S>(stream: &mut S) -> std::io::Result<()>
where
    S: AsyncRead + tokio::io::AsyncWrite + Unpin + Send,
{
    stream.write_all(b"{\"ok\":true}\n").await
}

/// The one line of a connection that is refused, and its end.
pub async fn refuse<S>(stream: &mut S, error: &CallError) -> std::io::Result<()>
where
    S: AsyncRead + tokio::io::AsyncWrite + Unpin + Send,
{
    let line = json!({ "error": error }).to_string() + "\n";
    stream.write_all(line.as_bytes()).await?;
    stream.shutdown().await
}
