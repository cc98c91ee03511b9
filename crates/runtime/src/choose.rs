//! Which sandbox works on this machine: found out by starting a worker in it.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::process::{Reaper, Spawner};
use crate::sandbox::{Kind, Sandbox};
use crate::worker::Worker;
use crate::{Settings, Unavailable, Wanted, code};

include!(concat!(env!("OUT_DIR"), "/package.rs"));

pub(crate) struct Found {
    pub sandbox: Arc<Sandbox>,
    /// The worker that proved it.
    pub first: Worker,
    /// Why a stronger profile is not in force.
    pub because: Option<String>,
}

/// Tries the profiles that are wanted, the strongest first.
pub(crate) async fn sandbox(
    settings: &Settings,
    spawner: &Spawner,
    reaper: &Reaper,
) -> Result<Found, Unavailable> {
    let folder = settings.folder.display();
    furnish(&settings.folder).map_err(|it| Unavailable::Start(format!("{folder}: {it}")))?;
    let kinds: &[Kind] = match settings.sandbox {
        Wanted::Best => &[Kind::Bubblewrap, Kind::Landlock],
        Wanted::Bubblewrap => &[Kind::Bubblewrap],
        Wanted::Landlock => &[Kind::Landlock],
        Wanted::NoneByName => &[Kind::Plain],
    };
    let mut reasons = Vec::new();
    for kind in kinds {
        // An id of its own for each worker needs root, and folders that this id can pass.
        let ids = if rustix::process::geteuid().is_root() {
            [true, false].iter()
        } else {
            [false].iter()
        };
        for own_uid in ids {
            match prove(settings, *kind, *own_uid, (spawner, reaper)).await {
                Ok((sandbox, first)) => {
                    let because = (!reasons.is_empty()).then(|| reasons.join("; "));
                    return Ok(Found { sandbox, first, because });
                }
                Err(reason) => {
                    let whose = if *own_uid { " with a user id for each worker" } else { "" };
                    reasons.push(format!("{kind:?}{whose}: {reason}"));
                }
            }
        }
    }
    let tried = reasons.join("; ");
    Err(Unavailable::Sandbox(format!(
        "{tried}. Install bubblewrap (Debian: apt-get install bubblewrap) and permit user \
         namespaces, or ask for the profile `none` by name if all code that runs is your own"
    )))
}

async fn prove(
    settings: &Settings,
    kind: Kind,
    own_uid: bool,
    (spawner, reaper): (&Spawner, &Reaper),
) -> Result<(Arc<Sandbox>, Worker), String> {
    if kind == Kind::Landlock && settings.confine.is_empty() {
        return Err("no command is set that confines itself".into());
    }
    let node = program(&settings.node)
        .ok_or_else(|| format!("{}: there is no such program", settings.node.display()))?;
    let (confine, folder) = (settings.confine.clone(), settings.folder.clone());
    let limits = settings.limits.clone();
    let sandbox = Sandbox { kind, own_uid, node, confine, folder, limits };
    sandbox.furnish().map_err(|it| it.to_string())?;
    let sandbox = Arc::new(sandbox);
    let first = Worker::start(&sandbox, spawner, reaper).await.map_err(|it| it.to_string())?;
    Ok((sandbox, first))
}

/// The program's real place. A bare name is looked for where the system keeps programs.
fn program(name: &Path) -> Option<PathBuf> {
    if name.components().count() > 1 {
        return name.canonicalize().ok();
    }
    let places = ["/usr/local/bin", "/usr/bin", "/bin"];
    places.iter().find_map(|place| Path::new(place).join(name).canonicalize().ok())
}

/// Writes what all workers read, and removes what an earlier process left of its workers.
fn furnish(folder: &Path) -> io::Result<()> {
    let all = ["w", "runtime", "packages"].map(|it| folder.join(it));
    std::fs::create_dir_all(folder)?;
    for old in &all {
        if old.exists() {
            std::fs::remove_dir_all(old)?;
        }
        code::make(old)?;
    }
    let [workers, runtime, _] = &all;
    // Others may pass, to what they know the name of.
    for passed in [folder, workers.as_path()] {
        std::fs::set_permissions(passed, PermissionsExt::from_mode(0o711))?;
    }
    for (path, content) in PACKAGE {
        code::write(&runtime.join(path), content.as_bytes())?;
    }
    Ok(())
}
