//! One private PostgreSQL for one run: own data, own port, gone when we are gone.

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::{DirBuilderExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::place;

/// What the tests read. Each makes a database of its own on this server.
pub const URL_VARIABLE: &str = "GRANTKEEP_TEST_POSTGRES_URL";

/// A server that does not listen after this time will not.
const START_TIME_MAX: Duration = Duration::from_secs(30);

/// Runs the server until its own input ends, which it does however we end, even by SIGKILL; then
/// stops the server and removes the folder. `$1` folder, `$2` binaries, `$3` port.
const KEEPER: &str = r#"
trap '' INT TERM HUP
cd "$1" || exit 1
"$2/postgres" -D "$1/data" -p "$3" -k "$1" -c listen_addresses=127.0.0.1 \
  -c fsync=off -c synchronous_commit=on -c full_page_writes=off -c max_wal_size=2GB \
  -c max_connections=400 -c shared_buffers=128MB -c autovacuum=off \
  </dev/null >"$1/log" 2>&1 &
echo started
cat >/dev/null
kill -INT $!
wait $!
cd / && rm -rf "$1"
"#;

/// A running server. Dropping it stops the server and removes its data.
pub struct Postgres {
    pub url: String,
    keeper: Child,
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// Who the server runs as: it refuses to run as root.
#[derive(Clone, Copy)]
struct Identity {
    user: u32,
    group: u32,
}

/// Starts a server on a free loopback port.
///
/// # Errors
/// No PostgreSQL is installed, or it does not start; the message ends with its log.
pub fn start() -> Result<Postgres, String> {
    let binaries = binaries().ok_or("no PostgreSQL found: apt-get install postgresql")?;
    let identity = if place::is_root() { Some(identity()?) } else { None };
    // Not the system's temporary folder, which may be too long a path for a socket.
    let folder = PathBuf::from(format!("/tmp/grantkeep-postgres-{}", std::process::id()));
    let password = password().map_err(|it| format!("cannot make a password: {it}"))?;
    make_folder(&folder, identity, &password)
        .and_then(|()| initialise(&folder, &binaries, identity))
        .and_then(|()| launch(&folder, &binaries, identity, &password))
        .inspect_err(|_| drop(std::fs::remove_dir_all(&folder)))
}

/// Starts a server, prints its URL and keeps it until this program's end.
pub fn serve() -> Result<(), String> {
    let server = start()?;
    println!("export {URL_VARIABLE}='{}'", server.url);
    println!("# Running until Ctrl-C.");
    loop {
        std::thread::park();
    }
}

/// Runs a command with a server of its own. `false`: the command ended badly.
pub fn around(program: &str, arguments: &[&str]) -> Result<bool, String> {
    let server = start()?;
    let mut command = Command::new(program);
    command.args(arguments).env(URL_VARIABLE, &server.url);
    command.env("CARGO_TARGET_DIR", place::target());
    let status = command.status().map_err(|it| format!("cannot start {program}: {it}"))?;
    Ok(status.success())
}

/// Debian's newest, else what is on the `PATH`.
pub fn binaries() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .max()
        .map(|version| PathBuf::from(format!("/usr/lib/postgresql/{version}/bin")));
    let found = newest.filter(|folder| folder.join("initdb").is_file());
    found.or_else(|| place::on_path("initdb")?.parent().map(Path::to_path_buf))
}

fn identity() -> Result<Identity, String> {
    let text = std::fs::read_to_string("/etc/passwd").map_err(|it| format!("/etc/passwd: {it}"))?;
    let fields = text.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let found = fields
        .filter(|it| it.len() > 3 && it[0] == "postgres")
        .find_map(|it| Some(Identity { user: it[2].parse().ok()?, group: it[3].parse().ok()? }));
    found.ok_or_else(|| "PostgreSQL does not run as root, and there is no user postgres".into())
}

fn password() -> std::io::Result<String> {
    let mut bytes = [0; 16];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}")))
}

fn make_folder(folder: &Path, identity: Option<Identity>, password: &str) -> Result<(), String> {
    let make = || -> std::io::Result<()> {
        // Fails if it is there: a name in /tmp that someone else made first is not ours to use.
        std::fs::DirBuilder::new().mode(0o700).create(folder)?;
        std::fs::write(folder.join("password"), password)?;
        if let Some(Identity { user, group }) = identity {
            chown(folder.join("password"), Some(user), Some(group))?;
            chown(folder, Some(user), Some(group))?;
        }
        Ok(())
    };
    make().map_err(|it| format!("cannot make {}: {it}", folder.display()))
}

fn initialise(folder: &Path, binaries: &Path, who: Option<Identity>) -> Result<(), String> {
    let mut command = Command::new(binaries.join("initdb"));
    // md5 only to be quick: scram costs the tests' debug builds some 20 ms per connection.
    command
        .args(["--username=postgres", "--auth-local=trust", "--auth-host=md5"])
        .args(["--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"])
        .arg("--pgdata")
        .arg(folder.join("data"))
        .arg("--pwfile")
        .arg(folder.join("password"))
        .current_dir(folder);
    let output = run_as(&mut command, who).output().map_err(|it| format!("initdb: {it}"))?;
    if !output.status.success() {
        return Err(format!("initdb failed:\n{}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(())
}

fn launch(
    folder: &Path,
    binaries: &Path,
    who: Option<Identity>,
    password: &str,
) -> Result<Postgres, String> {
    let port = free_port().map_err(|it| format!("no free port: {it}"))?;
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", KEEPER, "grantkeep-postgres"])
        .arg(folder)
        .arg(binaries)
        .arg(port.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .process_group(0);
    let mut keeper = run_as(&mut command, who).spawn().map_err(|it| format!("postgres: {it}"))?;
    if let Some(output) = keeper.stdout.take() {
        let _ = BufReader::new(output).read_line(&mut String::new());
    }
    let url = format!("postgres://postgres:{password}@127.0.0.1:{port}/postgres");
    let server = Postgres { url, keeper };
    let begun = Instant::now();
    while !accepts(port, binaries) {
        if begun.elapsed() > START_TIME_MAX {
            let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
            return Err(format!("PostgreSQL did not start:\n{log}"));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(server)
}

fn run_as(command: &mut Command, who: Option<Identity>) -> &mut Command {
    match who {
        Some(Identity { user, group }) => command.uid(user).gid(group),
        None => command,
    }
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Listening is not enough: a server that still recovers refuses. `pg_isready` knows.
fn accepts(port: u16, binaries: &Path) -> bool {
    let connected = TcpStream::connect((Ipv4Addr::LOCALHOST, port));
    if connected.is_err() {
        return false;
    }
    let port = port.to_string();
    crate::run::answers(binaries.join("pg_isready"), &["-q", "-h", "127.0.0.1", "-p", &port])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_starts_answers_and_leaves_nothing_behind() {
        let server = start().unwrap();
        let psql = binaries().unwrap().join("psql");
        let asked = ["-qAt", "-c", "create database a_test", "-d", &server.url];
        assert!(crate::run::answers(psql, &asked));
        let folder = format!("/tmp/grantkeep-postgres-{}", std::process::id());
        assert!(Path::new(&folder).is_dir());
        drop(server);
        assert!(!Path::new(&folder).exists());
    }

    #[test]
    fn a_command_is_given_the_server_and_its_end_is_told() {
        let psql = binaries().unwrap().join("psql");
        let script =
            format!("{} -qAt -c 'select 1' \"${URL_VARIABLE}\" >/dev/null", psql.display());
        assert_eq!(around("sh", &["-c", &script]), Ok(true));
        assert_eq!(around("sh", &["-c", "exit 3"]), Ok(false));
    }
}
