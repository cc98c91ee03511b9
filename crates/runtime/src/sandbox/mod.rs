//! What holds a worker: the profiles, from strong to none, and which of them works here.

/// The profile that is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wanted {
    /// The strongest that works here: bubblewrap, then Landlock. Never none.
    #[default]
    Best,
    Bubblewrap,
    Landlock,
    /// No sandbox. For machines on which all code is trusted; must be asked for by name.
    NoneByName,
}

/// What is in force, for people to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// `bubblewrap`, `landlock` or `none`.
    pub name: &'static str,
    /// What it holds, a sentence each.
    pub holds: Vec<String>,
    /// What it does not hold, a sentence each. Shown loudly.
    pub lacks: Vec<String>,
    /// Why a stronger one is not in force.
    pub because: Option<String>,
}
