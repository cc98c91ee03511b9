//! Landlock and seccomp, for machines without bubblewrap: a process that confines itself and then
//! becomes Node.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreatedAttr, Scope,
};
use serde::{Deserialize, Serialize};

use super::seccomp::{Around, bytes, program};

/// Files need rename and link rules (kernel 5.19); what newer kernels add is taken where it is.
const OLDEST: ABI = ABI::V2;
const NEWEST: ABI = ABI::V6;

/// What the process may touch, and what it becomes.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Confinement {
    pub read: Vec<PathBuf>,
    pub write: Vec<PathBuf>,
    pub program: PathBuf,
    pub args: Vec<String>,
}

/// The filter file that bubblewrap is handed.
pub(crate) fn filter() -> Result<Vec<u8>, String> {
    bytes(Around::Namespaces)
}

/// Confines this process as the pool's argument says, and becomes Node. Returns only if that fails,
/// with the reason.
///
/// The program that uses this crate calls it from a command of its own, named in
/// [`crate::Settings::confine`].
#[must_use]
pub fn confine_and_exec(argument: &str) -> String {
    let confinement: Confinement = match serde_json::from_str(argument) {
        Ok(it) => it,
        Err(error) => return format!("not an argument of the pool: {error}"),
    };
    let mut command = Command::new(&confinement.program);
    command.args(&confinement.args);
    if let Err(reason) = confine(&confinement) {
        return reason;
    }
    format!("{}: {}", confinement.program.display(), command.exec())
}

fn confine(confinement: &Confinement) -> Result<(), String> {
    restrict(confinement).map_err(|it| format!("Landlock: {it}"))?;
    let filter = program(Around::Nothing { pid: std::process::id() })?;
    seccompiler::apply_filter(&filter).map_err(|it| format!("seccomp: {it}"))
}

fn restrict(confinement: &Confinement) -> Result<(), String> {
    let words = |it: &dyn std::error::Error| it.to_string();
    let (read, all) = (AccessFs::from_read(NEWEST), AccessFs::from_all(NEWEST));
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(OLDEST))
        .map_err(|it| words(&it))?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(all)
        .and_then(|it| it.handle_access(AccessNet::from_all(NEWEST)))
        .and_then(|it| it.scope(Scope::from_all(NEWEST)))
        .and_then(Ruleset::create)
        .map_err(|it| words(&it))?;
    let paths = confinement.read.iter().map(|path| (path, read));
    for (path, access) in paths.chain(confinement.write.iter().map(|path| (path, all))) {
        let Ok(beneath) = PathFd::new(path) else { continue };
        let is_file = path.metadata().is_ok_and(|it| !it.is_dir());
        let access = if is_file { access & AccessFs::from_file(NEWEST) } else { access };
        rules = rules.add_rule(PathBeneath::new(beneath, access)).map_err(|it| words(&it))?;
    }
    rules.restrict_self().map(drop).map_err(|it| words(&it))
}
