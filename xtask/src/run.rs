//! Runs a program with its output in a file, so that a good run stays short to read.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// The last lines of a failed program that are shown; the rest is in its log.
const TAIL_LINES: usize = 120;

/// No step takes longer; one that does hangs, and is ended.
const STEP_TIME_MAX: Duration = Duration::from_mins(40);

/// How often a running program is looked at.
const POLL: Duration = Duration::from_millis(25);

/// What a program said, and whether it ended well.
pub struct Output {
    pub good: bool,
    pub text: String,
    log: PathBuf,
}

impl Output {
    /// The end of the output and where all of it is, for a person who must mend it.
    pub fn tail(&self) -> String {
        let lines: Vec<&str> = self.text.lines().collect();
        let from = lines.len().saturating_sub(TAIL_LINES);
        let shown = lines[from..].join("\n");
        match from {
            0 => shown,
            _ => format!("({from} lines before these are in {})\n{shown}", self.log.display()),
        }
    }
}

/// Where logs go, and whether to show the output as it comes.
pub struct Logs {
    pub folder: PathBuf,
    pub verbose: bool,
}

impl Logs {
    /// Runs the program to its end, both of its streams in `<name>.log`. A file and not a pipe:
    /// a pipe that a forgotten grandchild keeps open would be waited for without end.
    ///
    /// # Errors
    /// The program or its log cannot be opened. A program that ends badly is no error here.
    pub fn run(&self, name: &str, command: &mut Command) -> Result<Output, String> {
        let log = self.folder.join(format!("{name}.log"));
        let broken = |it: std::io::Error| format!("cannot keep the log {}: {it}", log.display());
        std::fs::create_dir_all(&self.folder).map_err(broken)?;
        let file = File::create(&log).map_err(broken)?;
        let second = file.try_clone().map_err(broken)?;
        let program = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(second)
            .env("NO_COLOR", "1")
            .env("CARGO_TERM_COLOR", "never")
            .spawn()
            .map_err(|it| format!("cannot start {program}: {it}"))?;
        let status = self.follow(&mut child, &log).map_err(broken)?;
        let text = std::fs::read(&log).map_err(broken)?;
        let text = String::from_utf8_lossy(&text).into_owned();
        let good = status.is_some_and(|it| it.success());
        let late =
            format!("\nended after {} minutes without a result", STEP_TIME_MAX.as_secs() / 60);
        let text = if status.is_some() { text } else { text + &late };
        Ok(Output { good, text, log })
    }

    /// `None`: the program took too long and was ended.
    fn follow(&self, child: &mut Child, log: &Path) -> std::io::Result<Option<ExitStatus>> {
        let begun = Instant::now();
        let mut reader = File::open(log)?;
        loop {
            let status = child.try_wait()?;
            if self.verbose {
                let mut news = Vec::new();
                reader.read_to_end(&mut news)?;
                std::io::stdout().write_all(&news)?;
            }
            if status.is_some() {
                return Ok(status);
            }
            if begun.elapsed() > STEP_TIME_MAX {
                child.kill()?;
                child.wait()?;
                return Ok(None);
            }
            std::thread::sleep(POLL);
        }
    }
}

/// The cargo that runs us, so that a toolchain chosen by `cargo +x xtask` holds for all.
pub fn cargo() -> Command {
    let program = crate::place::variable("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(crate::place::root()).env("CARGO_TARGET_DIR", crate::place::target());
    command
}

/// Whether `program arguments` runs and ends well; its output is dropped.
pub fn answers(program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> bool {
    let status = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|it| it.success())
}
