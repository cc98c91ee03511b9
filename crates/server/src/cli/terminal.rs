//! Questions to the person at the terminal.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::sync::mpsc;

use super::Failure;

/// Lines that were typed before anybody asked.
const LINES_MAX: usize = 64;

/// Standard input by lines, read beside everything else.
pub(super) struct Terminal {
    lines: mpsc::Receiver<String>,
}

impl Terminal {
    pub fn open() -> Self {
        let (to, lines) = mpsc::channel(LINES_MAX);
        // It ends with the process: nothing can wake a read of a terminal.
        std::thread::spawn(move || {
            for line in std::io::stdin().lines().map_while(Result::ok) {
                if to.blocking_send(line).is_err() {
                    break;
                }
            }
        });
        Self { lines }
    }

    /// Asks, and gives the answer without spaces around it. `None`: nobody is there to answer, or
    /// the person wants to stop.
    pub async fn ask(&mut self, question: &str, hidden: bool) -> Option<String> {
        let _ = write!(std::io::stderr(), "{question}");
        let _ = std::io::stderr().flush();
        let silent = hidden.then(Silent::begin).flatten();
        let line = tokio::select! {
            line = self.lines.recv() => line,
            () = crate::serve::stop_signal() => None,
        };
        if silent.is_some() || line.is_none() {
            let _ = writeln!(std::io::stderr());
        }
        line.map(|it| it.trim().to_owned())
    }

    /// The next line, if one comes in time. Waits all the same when none can come.
    pub async fn line(&mut self, within: Duration) -> Option<String> {
        if self.lines.is_closed() && self.lines.is_empty() {
            tokio::time::sleep(within).await;
            return None;
        }
        let line = tokio::time::timeout(within, self.lines.recv()).await.ok().flatten();
        line.map(|it| it.trim().to_owned())
    }
}

/// Has the person type `word` before something is done that cannot be undone. With `yes`, nobody is
/// asked.
pub(super) async fn confirm(what: &str, word: &str, yes: bool) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        let text = format!("{what} Nobody is here to be asked: add --yes.");
        return Err(Failure::Usage(text));
    }
    let question = format!("{what} It cannot be undone.\nType {word} to go on: ");
    match Terminal::open().ask(&question, false).await {
        Some(typed) if typed == word => Ok(()),
        _ => Err(Failure::Stopped),
    }
}

/// While it lives, what is typed is not shown.
struct Silent(Termios);

impl Silent {
    /// `None`: there is no terminal.
    fn begin() -> Option<Self> {
        let stdin = std::io::stdin();
        if !stdin.is_terminal() {
            return None;
        }
        let before = tcgetattr(&stdin).ok()?;
        let mut silent = before.clone();
        silent.local_modes -= LocalModes::ECHO;
        tcsetattr(&stdin, OptionalActions::Flush, &silent).ok()?;
        Some(Self(before))
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0);
    }
}
