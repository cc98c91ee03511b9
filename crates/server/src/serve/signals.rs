//! Signals of the operating system.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// One kind of signal. If it cannot be had, it never comes.
pub(super) struct Signals(Option<Signal>);

impl Signals {
    pub(super) fn new(kind: SignalKind) -> Self {
        Self(signal(kind).ok())
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) {
        match &mut self.0 {
            Some(signal) => {
                signal.recv().await;
            }
            None => std::future::pending().await,
        }
    }
}

/// Returns at SIGTERM or SIGINT.
pub async fn stop_signal() {
    let mut terminate = Signals::new(SignalKind::terminate());
    let mut interrupt = Signals::new(SignalKind::interrupt());
    tokio::select! {
        () = terminate.next() => {}
        () = interrupt.next() => {}
    }
}
