//! The catalogue: all apps, by slug and by id.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::{fs, io};

use crate::app::App;
use crate::categories::{self, Category};
use crate::check::{self, Options, Problem};
use crate::{embedded, file};

/// Bytes of one app file, at most.
pub const FILE_BYTES_MAX: u64 = 256 * 1024;

/// Folders below the given one that are read, at most.
const FOLDER_DEPTH_MAX: usize = 4;

/// All apps. Cheap to look up in, never changes; make a new one to add files.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// Sorted by slug.
    apps: Vec<Arc<App>>,
    by_slug: HashMap<String, usize>,
    by_id: HashMap<String, usize>,
}

/// Why app files were not taken.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("cannot read {path}: {source}")]
    Read { path: PathBuf, source: io::Error },
    /// Every problem in every file, so that they can be mended in one go.
    #[error("{}", list(.0))]
    Problems(Vec<Problem>),
}

impl Catalog {
    /// The apps that are compiled in. Parsed at the first call, which takes 0.3 ms per app in a
    /// debug
    /// build, so call it when the server starts; the crate's tests hold every file to
    /// [`check::file`], so nothing is checked again here.
    pub fn builtin() -> &'static Self {
        static BUILTIN: LazyLock<Catalog> = LazyLock::new(|| {
            let read = |(path, text): &(&str, &str)| file::read(path, text).ok();
            Catalog::of(embedded::APP_FILES.iter().filter_map(read).map(Arc::new).collect())
        });
        &BUILTIN
    }

    /// Path and text of the files that are compiled in, for checks and for copying.
    pub fn builtin_files() -> &'static [(&'static str, &'static str)] {
        embedded::APP_FILES
    }

    /// A catalogue of these files (path and text) alone.
    ///
    /// # Errors
    /// [`LoadError::Problems`] with all problems of all files; nothing is loaded then.
    pub fn from_files<'a>(
        files: impl IntoIterator<Item = (&'a str, &'a str)>,
        options: Options,
    ) -> Result<Self, LoadError> {
        let mut apps: Vec<Arc<App>> = Vec::new();
        let mut problems = Vec::new();
        for (path, text) in files {
            match file::read(path, text) {
                Ok(app) => {
                    let errors = check::app(path, &app, options).into_iter().filter(is_error);
                    problems.extend(errors);
                    if apps.iter().any(|it| it.slug == app.slug) {
                        problems.push(Problem::error(
                            format!("{path}: slug"),
                            format!("`{}` is the slug of another file too", app.slug),
                            "Give each app a slug of its own.",
                        ));
                    }
                    apps.push(Arc::new(app));
                }
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() { Ok(Self::of(apps)) } else { Err(LoadError::Problems(problems)) }
    }

    /// This catalogue and the `.toml` files under a folder. A file with the slug of an app that is
    /// already here replaces it: an operator's own file wins.
    ///
    /// # Errors
    /// [`LoadError::Read`] when the folder or a file cannot be read, [`LoadError::Problems`] as for
    /// [`Catalog::from_files`].
    pub fn with_dir(&self, folder: &Path, options: Options) -> Result<Self, LoadError> {
        let mut files = Vec::new();
        gather(folder, 0, &mut files)?;
        files.sort();
        let pairs = files.iter().map(|(path, text)| (path.as_str(), text.as_str()));
        Ok(self.with(&Self::from_files(pairs, options)?))
    }

    /// This catalogue and another; where both have an app, the other's is taken.
    #[must_use]
    pub fn with(&self, other: &Self) -> Self {
        let kept = self.apps.iter().filter(|it| other.get(&it.slug).is_none());
        Self::of(kept.chain(&other.apps).cloned().collect())
    }

    fn of(mut apps: Vec<Arc<App>>) -> Self {
        apps.sort_by(|a, b| a.slug.cmp(&b.slug));
        let by_slug = apps.iter().enumerate().map(|(at, it)| (it.slug.clone(), at)).collect();
        let by_id = apps.iter().enumerate().map(|(at, it)| (it.id.clone(), at)).collect();
        Self { apps, by_slug, by_id }
    }

    /// The app of that slug.
    pub fn get(&self, slug: &str) -> Option<Arc<App>> {
        self.apps.get(*self.by_slug.get(slug)?).cloned()
    }

    /// The app of that id (`app_...`).
    pub fn get_by_id(&self, id: &str) -> Option<Arc<App>> {
        self.apps.get(*self.by_id.get(id)?).cloned()
    }

    /// The app of that slug or id: clients may send either.
    pub fn find(&self, slug_or_id: &str) -> Option<Arc<App>> {
        self.get(slug_or_id).or_else(|| self.get_by_id(slug_or_id))
    }

    /// All apps, by slug.
    pub fn all(&self) -> &[Arc<App>] {
        &self.apps
    }

    /// The apps whose name, slug or former name holds the query, best first: equal, then beginning
    /// with it, then a word beginning with it, then anywhere; the more popular first among equals.
    /// Case, spaces, `_`, `-` and `.` make no difference. An empty query finds all.
    pub fn search(&self, query: &str) -> Vec<&App> {
        let query = Folded::of(query);
        let rank = |app: &App| -> Option<u8> {
            let names = [&app.name, &app.slug].into_iter().chain(&app.former_names);
            names.filter_map(|name| Folded::of(name).rank(&query)).min()
        };
        let mut found: Vec<(u8, &App)> =
            self.apps.iter().filter_map(|app| Some((rank(app)?, &**app))).collect();
        found.sort_by(|(a, left), (b, right)| {
            (a, right.popularity, &left.slug).cmp(&(b, left.popularity, &right.slug))
        });
        found.into_iter().map(|(_, app)| app).collect()
    }

    /// The categories, by name, whether or not an app is in them.
    pub fn categories(&self) -> Vec<Category> {
        categories::list()
    }
}

/// A text as search sees it: lower-case words.
struct Folded {
    words: Vec<String>,
    joined: String,
}

impl Folded {
    fn of(text: &str) -> Self {
        let lower = text.to_lowercase();
        let words: Vec<String> = lower
            .split(|it: char| !it.is_alphanumeric())
            .filter(|it| !it.is_empty())
            .map(ToOwned::to_owned)
            .collect();
        let joined = words.concat();
        Self { words, joined }
    }

    fn rank(&self, query: &Self) -> Option<u8> {
        let begins_at = |at: usize| self.words[at..].concat().starts_with(&query.joined);
        if self.joined == query.joined {
            Some(0)
        } else if self.joined.starts_with(&query.joined) {
            Some(1)
        } else if (1..self.words.len()).any(begins_at) {
            Some(2)
        } else {
            self.joined.contains(&query.joined).then_some(3)
        }
    }
}

fn is_error(problem: &Problem) -> bool {
    problem.severity == check::Severity::Error
}

fn list(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn gather(folder: &Path, depth: usize, into: &mut Vec<(String, String)>) -> Result<(), LoadError> {
    let failed = |path: &Path, source| LoadError::Read { path: path.to_owned(), source };
    for entry in fs::read_dir(folder).map_err(|it| failed(folder, it))? {
        let path = entry.map_err(|it| failed(folder, it))?.path();
        if path.is_dir() && depth < FOLDER_DEPTH_MAX {
            gather(&path, depth + 1, into)?;
        } else if path.extension().is_some_and(|it| it == "toml") {
            let size = fs::metadata(&path).map_err(|it| failed(&path, it))?.len();
            if size > FILE_BYTES_MAX {
                let wrong = format!("larger than {FILE_BYTES_MAX} bytes");
                return Err(failed(&path, io::Error::other(wrong)));
            }
            let text = fs::read_to_string(&path).map_err(|it| failed(&path, it))?;
            into.push((path.display().to_string(), text));
        }
    }
    Ok(())
}
