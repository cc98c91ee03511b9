//! `grantkeep demo --once`: the real binary, from consent to revocation.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use serde_json::Value;

/// What the story is made of. The demonstration fails if one of them does.
const STEPS: [&str; 19] = [
    "start the pretend providers",
    "start the server",
    "enter a product and its clients",
    "trade the client's secret for access",
    "make a connect token",
    "open the connect page",
    "start the flow",
    "sign in and consent",
    "list the account",
    "read its credentials",
    "call the provider with the token",
    "run a workflow on the account",
    "refresh the token",
    "connect an app by key",
    "find no secret in the stored files",
    "disconnect, and revoke at the provider",
    "disconnect the key",
    "count the audit events",
    "stop everything",
];

fn demo(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_grantkeep")).arg("demo").args(args).output().unwrap()
}

#[track_caller]
fn all_done(output: &Output) {
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{complained}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["ok"], true, "{report}");
    let steps = report["steps"].as_array().unwrap();
    let names: Vec<&str> = steps.iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(names, STEPS);
    assert!(steps.iter().all(|it| it["ok"] == true && it["ms"].is_u64()), "{report}");
}

#[test]
fn once_does_every_step_and_says_so_to_scripts() {
    all_done(&demo(&["--once", "--json"]));
}

#[test]
fn once_says_to_people_what_was_done_and_how_long_it_took() {
    let output = demo(&["--once"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    for name in STEPS {
        assert!(said.contains(&format!("✓ {name} ")), "{name} is missing:\n{said}");
    }
    assert!(said.contains("All 19 steps done in "), "{said}");
    assert!(!said.contains('\x1b'), "colours where there is no terminal:\n{said}");
}

#[test]
fn a_named_folder_is_kept_with_a_key_for_this_user_alone_and_used_again() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    for _ in 0..2 {
        all_done(&demo(&["--once", "--json", "--data", data.to_str().unwrap()]));
    }
    let mode = |name: &str| data.join(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("demo-root.key"), 0o600);
    assert_eq!(mode(""), 0o700);
    assert!(data.join("grantkeep.db").exists());
}

#[test]
fn a_step_that_fails_is_named_and_the_exit_code_says_so() {
    // The providers' port, two above the product's, is taken.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = (taken.local_addr().unwrap().port() - 2).to_string();
    let output = demo(&["--once", "--port", &port]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("✗ start the pretend providers "), "{said}");
    let complained = String::from_utf8(output.stderr).unwrap();
    assert!(complained.starts_with("error: start the pretend providers: "), "{complained}");
}

#[test]
fn with_a_port_everything_has_a_known_place() {
    let port = three_free_ports();
    let output = demo(&["--once", "--json", "--port", &port.to_string()]);
    all_done(&output);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains(&format!("http://127.0.0.1:{}, ", port + 1)), "{said}");
    assert!(said.contains(&format!("on http://127.0.0.1:{}", port + 2)), "{said}");
}

/// The first of three ports in a row that nobody has.
fn three_free_ports() -> u16 {
    let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let begin = u16::try_from(20_000 + std::process::id() % 10_000).unwrap();
    (begin..).step_by(3).find(|it| (*it..it + 3).all(free)).unwrap()
}
