//! What a worker runs: the files of a component, its packages, and the names that mean us.

use std::path::PathBuf;

use bytes::Bytes;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Code {
    /// Path below `/code`, and content.
    pub files: Vec<(String, Bytes)>,
    /// The file of those to import.
    pub entry: String,
    /// Place below `/code/node_modules`, and the folder of the store that is laid there.
    pub packages: Vec<(String, PathBuf)>,
    /// Package names that mean `@grantkeep/runtime`, besides that one.
    pub aliases: Vec<String>,
}
