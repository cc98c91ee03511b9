//! The repository's own tasks: `cargo xtask <task>`. Standard library only, so it builds in a
//! second.

mod bench;
mod catalog;
mod components;
mod counts;
mod mutants;
mod place;
mod postgres;
mod run;
mod setup;
mod steps;
mod test;
mod torture;

use std::process::ExitCode;

const HELP: &str = "\
The repository's own tasks.

Usage: cargo xtask <task>

Tasks:
  test        Set this machine up, run every check and every test, print the sum
  postgres    Start a private PostgreSQL, print its URL, stop it on Ctrl-C; with a command,
              run that with the server and stop: cargo xtask postgres cargo nextest run
  torture     Kill the real server while it refreshes tokens or runs workflows, or race several of
              them, and count what is lost: cargo xtask torture refresh | race | workflows; --help
  bench       Measure vending, the proxy, refreshes, start and memory beside what they are compared
              with, and judge the ratios: cargo xtask bench --quick in five minutes; --help
  catalog     Make app files from a list of facts; without arguments it says more
  components  Describe the components that are shipped, in components/index.json
  help        Print this

Options of test:
  --only NAME   Run this step only; may be repeated
  --no-setup    Install nothing; a step whose tools are missing fails
  --verbose     Show the output of each step while it runs

The last line of test is `N passed, N failed`: the tests of every runner together. A check that
is no test (formatting, lints, licences) adds one to the failed if it fails, and nothing else.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.split_first() {
        Some((&"test", options)) => test::Options::parse(options).map(|it| test::run(&it)),
        Some((&"postgres", [])) => postgres::serve().map(|()| true),
        Some((&"postgres", [program, arguments @ ..])) => postgres::around(program, arguments),
        Some((&"bench", arguments)) => bench::run(arguments),
        Some((&"catalog", arguments)) => catalog::run(arguments),
        Some((&"components", [])) => components::describe(),
        Some((&"torture", arguments)) => torture::run(arguments),
        Some((&("help" | "--help" | "-h"), _)) => {
            print!("{HELP}{}", steps::table());
            return ExitCode::SUCCESS;
        }
        _ => Err(format!("{HELP}{}", steps::table())),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("{}", message.trim_end());
            ExitCode::from(2)
        }
    }
}
