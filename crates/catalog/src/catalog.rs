//! The catalogue: all apps, by slug and by id.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, OnceLock};
use std::{fmt, fs, io};

use crate::app::App;
use crate::blob::{AppAt, Blob, BlobError};
use crate::categories::{self, Category};
use crate::check::{self, Options, Problem};
use crate::entry::Entry;
use crate::{embedded, file, ids, pack, search};

/// Bytes of one app file, at most.
pub const FILE_BYTES_MAX: u64 = 256 * 1024;

/// Folders below the given one that are read, at most.
const FOLDER_DEPTH_MAX: usize = 4;

/// All apps. Cheap to copy and to look up in, never changes; make a new one to add files.
#[derive(Clone, Default)]
pub struct Catalog(Arc<Index>);

/// By slug; apps themselves are read when they are first asked for.
#[derive(Default)]
struct Index {
    slots: Vec<Slot>,
    /// The number in an app's id, and its place in `slots`, by number.
    ids: Vec<(u64, usize)>,
}

#[derive(Clone)]
struct Slot {
    entry: Entry,
    app: OnceLock<Arc<App>>,
    /// Where the app lies, unless it is in `app` from the beginning.
    packed: Option<(Arc<Blob>, Range<usize>)>,
}

/// Why app files were not taken.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    Blob(#[from] BlobError),
    #[error("cannot read {path}: {source}")]
    Read { path: PathBuf, source: io::Error },
    /// Every problem in every file, so that they can be mended in one go.
    #[error("{}", list(.0))]
    Problems(Vec<Problem>),
}

/// What is compiled in. The crate's tests read all of it and hold every file to [`check::file`].
static BUILTIN: LazyLock<(Catalog, Arc<Blob>)> = LazyLock::new(|| {
    let opened = Blob::open(Cow::Borrowed(embedded::BYTES));
    let (blob, lines) = opened.unwrap_or_else(|_| (Blob::empty(), Vec::new()));
    let blob = Arc::new(blob);
    (Catalog::of(Slot::packed(&blob, lines)), blob)
});

impl Catalog {
    /// The apps that are compiled in. The first call reads the index, in a few milliseconds.
    pub fn builtin() -> &'static Self {
        &BUILTIN.0
    }

    /// Path data and colour of an icon that is compiled in.
    pub(crate) fn builtin_icon(name: &str) -> Option<(&'static str, [u8; 3])> {
        BUILTIN.1.icon(name)
    }

    /// Bytes of what is compiled in.
    pub fn builtin_bytes() -> usize {
        embedded::BYTES.len()
    }

    /// A catalogue from packed bytes, see [`Catalog::pack`]. Every app is read and checked once.
    ///
    /// # Errors
    /// [`LoadError::Blob`] when the bytes are no catalogue or of another format,
    /// [`LoadError::Problems`] when an app in them says what this program does not know.
    pub fn from_packed(bytes: Vec<u8>, options: Options) -> Result<Self, LoadError> {
        let (blob, lines) = Blob::open(Cow::Owned(bytes))?;
        let catalog = Self::of(Slot::packed(&Arc::new(blob), lines));
        let problems = catalog.0.slots.iter().flat_map(|slot| match slot.read() {
            Ok(app) => check::app(&app.slug, &app, options),
            Err(problem) => vec![problem],
        });
        let problems: Vec<_> = problems.filter(is_error).collect();
        if problems.is_empty() { Ok(catalog) } else { Err(LoadError::Problems(problems)) }
    }

    /// Packs app files (path and text) into bytes for [`Catalog::from_packed`].
    ///
    /// # Errors
    /// [`LoadError::Problems`] with all problems of all files.
    pub fn pack<'a>(
        files: impl IntoIterator<Item = (&'a str, &'a str)> + Clone,
        options: Options,
    ) -> Result<Vec<u8>, LoadError> {
        Self::from_files(files.clone(), options)?;
        let fix = "Mend the file.";
        pack::pack(files, &[])
            .map_err(|why| LoadError::Problems(vec![Problem::error("", why, fix)]))
    }

    /// A catalogue of these files (path and text) alone.
    ///
    /// # Errors
    /// [`LoadError::Problems`] with all problems of all files; nothing is loaded then.
    pub fn from_files<'a>(
        files: impl IntoIterator<Item = (&'a str, &'a str)>,
        options: Options,
    ) -> Result<Self, LoadError> {
        let mut apps: Vec<Slot> = Vec::new();
        let mut slugs = HashSet::new();
        let mut problems = Vec::new();
        for (path, text) in files {
            match file::read(path, text) {
                Ok(app) => {
                    let errors = check::app(path, &app, options).into_iter().filter(is_error);
                    problems.extend(errors);
                    if !slugs.insert(app.slug.clone()) {
                        problems.push(Problem::error(
                            format!("{path}: slug"),
                            format!("`{}` is the slug of another file too", app.slug),
                            "Give each app a slug of its own.",
                        ));
                    }
                    apps.push(Slot::read_from_file(app));
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
        let files = Self::files_in(folder)?;
        let pairs = files.iter().map(|(path, text)| (path.as_str(), text.as_str()));
        Ok(self.with(&Self::from_files(pairs, options)?))
    }

    /// Path and text of the `.toml` files under a folder, in the order of their paths.
    ///
    /// # Errors
    /// [`LoadError::Read`] when the folder or a file cannot be read.
    pub fn files_in(folder: &Path) -> Result<Vec<(String, String)>, LoadError> {
        let mut files = Vec::new();
        gather(folder, 0, &mut files)?;
        files.sort();
        Ok(files)
    }

    /// This catalogue and another; where both have an app, the other's is taken.
    #[must_use]
    pub fn with(&self, other: &Self) -> Self {
        let kept = self.0.slots.iter().filter(|it| other.slot(&it.entry.slug).is_none());
        Self::of(kept.chain(&other.0.slots).cloned().collect())
    }

    fn of(mut slots: Vec<Slot>) -> Self {
        slots.sort_by(|a, b| a.entry.slug.cmp(&b.entry.slug));
        let number = |(at, slot): (usize, &Slot)| (ids::number(&slot.entry.slug), at);
        let mut ids: Vec<(u64, usize)> = slots.iter().enumerate().map(number).collect();
        ids.sort_unstable();
        Self(Arc::new(Index { slots, ids }))
    }

    fn slot(&self, slug: &str) -> Option<&Slot> {
        let at = self.0.slots.binary_search_by(|it| (*it.entry.slug).cmp(slug)).ok()?;
        self.0.slots.get(at)
    }

    /// The app of that slug.
    pub fn get(&self, slug: &str) -> Option<Arc<App>> {
        self.slot(slug)?.app()
    }

    /// The app of that id (`app_...`).
    pub fn get_by_id(&self, id: &str) -> Option<Arc<App>> {
        let number = ids::number_of("app_", id)?;
        let at = self.0.ids.binary_search_by_key(&number, |(it, _)| *it).ok()?;
        self.0.slots.get(self.0.ids.get(at)?.1)?.app()
    }

    /// The app of that slug or id: clients may send either.
    pub fn find(&self, slug_or_id: &str) -> Option<Arc<App>> {
        self.get(slug_or_id).or_else(|| self.get_by_id(slug_or_id))
    }

    /// A line for each app, by slug, without reading the apps.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.0.slots.iter().map(|it| &it.entry)
    }

    /// All apps, by slug. Each is read the first time, so lists use [`Catalog::entries`].
    pub fn apps(&self) -> impl Iterator<Item = Arc<App>> {
        self.0.slots.iter().filter_map(Slot::app)
    }

    /// The apps whose name, slug or former name fits the query, best first: equal, then beginning
    /// with it, then a word that begins with it, then all its words, then anywhere; where nothing
    /// begins with it, also with a typing error or two. The more popular first among equals.
    /// Case, spaces and punctuation make no difference. An empty query finds all.
    pub fn search(&self, query: &str) -> Vec<&Entry> {
        search::search(self.entries(), query)
    }

    /// The categories, by name, whether or not an app is in them.
    pub fn categories(&self) -> Vec<Category> {
        categories::list()
    }
}

impl Slot {
    /// Apps of a kind that this program does not know are left out.
    fn packed(blob: &Arc<Blob>, lines: Vec<AppAt>) -> Vec<Self> {
        let slot = |line| {
            let (entry, tree) = Entry::of_line(line);
            let packed = Some((blob.clone(), tree));
            Some(Self { entry: entry?, app: OnceLock::new(), packed })
        };
        lines.into_iter().filter_map(slot).collect()
    }

    fn read_from_file(app: App) -> Self {
        let entry = Entry::of_app(&app);
        Self { entry, app: OnceLock::from(Arc::new(app)), packed: None }
    }

    fn read(&self) -> Result<Arc<App>, Problem> {
        if let Some(app) = self.app.get() {
            return Ok(app.clone());
        }
        let Some((blob, tree)) = &self.packed else {
            return Err(Problem::error(&*self.entry.slug, "is nowhere", "Report this."));
        };
        let app = Arc::new(file::unpack(blob, &self.entry.slug, tree)?);
        Ok(self.app.get_or_init(|| app).clone())
    }

    fn app(&self) -> Option<Arc<App>> {
        self.read().ok()
    }
}

impl fmt::Debug for Catalog {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Catalog of {} apps", self.0.slots.len())
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
