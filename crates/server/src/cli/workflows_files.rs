//! Reading a workflow from disk: its file with the code that it names, or one file of code.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use super::Failure;
use crate::workflows::{FILE_BYTES_MAX, NAMES, named_files};

/// What the files of workflows end with.
const ENDINGS: [&str; 2] = ["yaml", "yml"];

/// Reads what stands at the path: texts by their paths in the workflow's folder.
pub(super) fn read(path: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let path = if path.is_dir() { within(path)? } else { path.to_owned() };
    let main = text(&path)?;
    let is_workflow = path.extension().is_some_and(|it| ENDINGS.iter().any(|end| it == *end));
    let named = if is_workflow { named_files(&main) } else { Vec::new() };
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut files = BTreeMap::from([(name, main)]);
    for name in named {
        let inside = Path::new(&name).components().all(|it| matches!(it, Component::Normal(_)));
        if !inside {
            let text = format!("`file: {name}` is not below the folder of the workflow's file.");
            return Err(Failure::Usage(text));
        }
        let code = text(&folder.join(&name))?;
        files.insert(name, code);
    }
    Ok(files)
}

/// The workflow's file in a folder.
fn within(folder: &Path) -> Result<PathBuf, Failure> {
    let found = NAMES.iter().map(|name| folder.join(name)).find(|it| it.is_file());
    found.ok_or_else(|| {
        Failure::Usage(format!(
            "{} has no {}: which file is the workflow?",
            folder.display(),
            NAMES[0]
        ))
    })
}

fn text(path: &Path) -> Result<String, Failure> {
    let cannot = |why: String| Failure::Usage(format!("cannot read {}: {why}", path.display()));
    let bytes = std::fs::metadata(path).map_err(|it| cannot(it.to_string()))?.len();
    if bytes > FILE_BYTES_MAX as u64 {
        return Err(cannot(format!("it has more than {FILE_BYTES_MAX} bytes")));
    }
    std::fs::read_to_string(path).map_err(|it| cannot(it.to_string()))
}
